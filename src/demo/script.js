// Asks for the request's state and shows the page anew when it has changed. Without it, the "Refresh" link does the same.
"use strict";
const box = document.getElementById("state");
const left = document.getElementById("left");
document.getElementById("refresh").hidden = true;

async function look() {
  try {
    const answer = await fetch(box.dataset.url, { cache: "no-store" });
    const { state, seconds_left } = answer.ok ? await answer.json() : {};
    if (state !== box.dataset.state) {
      location.reload();
      return;
    }
    left.textContent = seconds_left;
  } catch {
    // the demo does not answer at the moment
  }
  setTimeout(look, 1500);
}

setTimeout(look, 1500);
