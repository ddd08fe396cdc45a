// Shows times as the pages of the gateway do. While nobody has decided it asks for the request's state and shows the page
// anew when it has changed; without it, the "Refresh" link does the same.
"use strict";
for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

const box = document.getElementById("state");
const left = document.getElementById("left");

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

if (box.dataset.state === "pending") {
  document.getElementById("refresh").hidden = true;
  setTimeout(look, 1500);
}
