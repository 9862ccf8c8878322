"use strict";
// Each message is the whole overview anew. What was opened or closed by hand stays so, and the focus stays.
const overview = document.getElementById("overview");
const chosen = new Map();

overview.addEventListener("click", (event) => {
  const summary = event.target.closest("summary");
  if (summary) { chosen.set(summary.parentElement.id, !summary.parentElement.open); }
});

new EventSource(`/events?seen=${overview.dataset.version}`).addEventListener("message", (event) => {
  const focused = document.activeElement && document.activeElement.id;
  overview.innerHTML = JSON.parse(event.data);
  for (const [id, open] of chosen) {
    const details = document.getElementById(id);
    if (details) { details.open = open; }
  }
  const again = focused && document.getElementById(focused);
  if (again) { again.focus({ preventScroll: true }); }
});
