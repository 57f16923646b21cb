// The operators' desk, fetched again when workers report and every few seconds; folds and focus stay.

import { connect } from "./socket.js";
import { localTimes } from "./times.js";

const EVERY = 5000;
const AT_MOST_EVERY = 1000;
const desk = document.querySelector("[data-desk]");
let last = 0;
let waiting = false;

async function refresh() {
  if (document.hidden || waiting) return;
  const pause = Math.max(0, last + AT_MOST_EVERY - Date.now());
  waiting = true;
  await new Promise((wake) => setTimeout(wake, pause));
  waiting = false;
  last = Date.now();
  // Nothing is taken from under somebody's hands or eyes.
  if (desk.contains(document.activeElement) || desk.querySelector("details[open]")) return;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const newer = page.querySelector("[data-desk]");
    if (!newer) return;
    localTimes(newer);
    desk.replaceChildren(...newer.childNodes);
  } catch {
    // Offline for a moment: the next round tries again.
  }
}

connect({ subscribe: { type: "subscribe", channel: "workers" }, onMessage: refresh });
setInterval(refresh, EVERY);
