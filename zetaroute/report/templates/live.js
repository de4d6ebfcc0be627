"use strict";
// The server renders; this only fetches the page again, keeps open what is open, and waits while the page is hidden.
const EVERY_MS = 5000;

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (!fresh) return;
    for (const open of document.querySelectorAll("details[open]")) {
      const same = fresh.querySelector(`details[id="${CSS.escape(open.id)}"]`);
      if (same) same.open = true;
    }
    document.getElementById("live").replaceWith(document.adoptNode(fresh));
    document.querySelector("h1").textContent = page.querySelector("h1").textContent;
    document.title = page.title;
  } catch {
    // The server may be starting again; the next turn will tell.
  }
}

setInterval(renew, EVERY_MS);
