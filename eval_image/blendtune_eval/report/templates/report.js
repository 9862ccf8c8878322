const search = document.querySelector(".search"), found = document.querySelector(".found");
const questions = [...document.querySelectorAll("details")].map(
  (element) => ({ element, text: element.textContent.toLowerCase() }));

function narrow() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { element, text } of questions) {
    element.hidden = !words.every((word) => text.includes(word));
    shown += !element.hidden;
  }
  found.hidden = !words.length;
  found.textContent = `${shown} of ${questions.length} questions`;
}

search.hidden = false;
search.addEventListener("input", narrow);
narrow(); // a browser may have kept what was searched for
