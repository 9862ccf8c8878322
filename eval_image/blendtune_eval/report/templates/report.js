const search = document.querySelector(".search"), found = document.querySelector(".found");
const questions = [...document.querySelectorAll(".asked")].map(
  (element) => ({ element, text: element.textContent.toLowerCase() }));
const folds = [...document.querySelectorAll(".list > .fold")], lists = [...document.querySelectorAll(".list")];
const folded = folds.map((fold) => fold.open);

function narrow() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { element, text } of questions) {
    element.hidden = !words.every((word) => text.includes(word));
    shown += !element.hidden;
  }
  for (const list of lists) list.hidden = !list.querySelector(".asked:not([hidden])");
  folds.forEach((fold, index) => { // a question that is found is not left within a fold
    fold.hidden = !fold.querySelector(".asked:not([hidden])");
    fold.open = words.length ? true : folded[index];
  });
  found.hidden = !words.length;
  found.textContent = `${shown} of ${questions.length} questions`;
}

search.hidden = false;
search.addEventListener("input", narrow);
narrow(); // a browser may have kept what was searched for
