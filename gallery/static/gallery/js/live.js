// A job's page, kept true. The server's page is the only place that makes words and results: a change of
// state has it fetched again and its parts swapped in. Progress, previews and verse come straight off the wire.

import { Freshness } from "./freshness.js";
import { play } from "./loop.js";
import { connect } from "./socket.js";

const QUEUE_REFRESH = 5000;
const LOST_AFTER = 5000;
const DECODE_LIMIT = 2000;
const MEDIA = /^image\/(webp|png|jpeg)$/;

const job = document.getElementById("job");
const words = JSON.parse(document.getElementById("job-words").textContent);
const part = (id) => document.getElementById(id);
let title = document.title;
let fresh = new Freshness(Number(job.dataset.seq));
let progress = null;
let said = "";
let lastContact = Date.now();
let connection = null;

// --- State: shown at once, then fetched in full --------------------------------------------------------

function onState(seq, data) {
  if (!fresh.state(seq)) return;
  const changed = job.dataset.state !== data.state || seq > Number(job.dataset.seq);
  if (!changed) return;
  if (job.dataset.state !== data.state) progress = null;
  job.dataset.state = data.state;
  job.dataset.seq = String(seq);
  const label = (data.state === "running" && words.phases[data.phase]) || words.states[data.state];
  const pill = job.querySelector("[data-pill]");
  pill.dataset.tone = words.tones[data.state] ?? "wait";
  pill.querySelector("[data-label]").textContent = label;
  announce(label);
  refresh();
}

function announce(label) {
  if (label === said) return;
  said = label;
  part("job-announce").textContent = label;
}

let refreshing = false;
let again = false;

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    do {
      again = false;
      await swap();
      // A job that is final does not change: what came is not exchanged under somebody's hand.
    } while (again && !job.hasAttribute("data-final"));
  } catch {
    setTimeout(refresh, 1500);
  } finally {
    refreshing = false;
  }
}

async function swap() {
  const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const newer = page.getElementById("job");
  if (!newer) {
    // Signed out elsewhere, or deleted: the server says it better.
    if (response.ok || response.status === 404) location.reload();
    throw new Error(`HTTP ${response.status}`);
  }
  contact();
  // The page went over to another job while this was on its way.
  if (newer.dataset.job !== job.dataset.job) return;
  if (Number(newer.dataset.seq) < Number(job.dataset.seq)) {
    again = true;
    await new Promise((wake) => setTimeout(wake, 200));
    return;
  }
  const final = newer.hasAttribute("data-final");
  if (final) await decoded(newer.querySelector("#job-results"));
  if (newer.dataset.job !== job.dataset.job) return;
  const focused = part("job-actions").contains(document.activeElement);
  for (const id of final ? ["job-status", "job-actions", "job-results"] : ["job-status", "job-actions"]) {
    part(id).replaceChildren(...document.adoptNode(newer.querySelector(`#${id}`)).childNodes);
  }
  swapWords(newer);
  job.dataset.state = newer.dataset.state;
  job.dataset.seq = newer.dataset.seq;
  fresh.state(Number(newer.dataset.seq));
  if (focused) part("job-actions").querySelector("button, a")?.focus();
  elapsedFrom();
  drawProgress();
  if (final) {
    play(part("job-results"));
    finish();
  }
}

/** The prompt as it was understood, and the recipe. */
function swapWords(newer) {
  for (const place of ["#job-title", ".job-recipe .facts"]) {
    const [old, next] = [job.querySelector(place), newer.querySelector(place)];
    if (old && next) old.replaceWith(document.adoptNode(next));
  }
}

/** Wait until the pictures of what comes are there, so that they take the place of previews without a blink. */
function decoded(results) {
  const images = [...results.querySelectorAll("img")];
  for (const image of images) image.loading = "eager";
  const all = Promise.allSettled(
    images.map((image) => {
      const early = new Image();
      early.src = image.getAttribute("src");
      return early.decode();
    }),
  );
  return Promise.race([all, new Promise((wake) => setTimeout(wake, DECODE_LIMIT))]);
}

function finish() {
  if (job.hasAttribute("data-final")) return;
  job.setAttribute("data-final", "");
  document.title = job.dataset.state === "succeeded" ? `✓ ${title}` : title;
  part("job-lost").hidden = true;
  connection?.close();
  clearInterval(clock);
  clearInterval(standing);
}

// --- Progress, previews, verse -------------------------------------------------------------------------

function drawProgress() {
  const bar = job.querySelector("[data-progress]");
  if (!bar) return;
  if (!progress) return;
  const { fraction, step, steps } = progress;
  if (fraction === null) bar.removeAttribute("value");
  else bar.value = fraction;
  const count = job.querySelector("[data-step]");
  if (count) count.textContent = steps ? `${step} / ${steps}` : "";
  document.title = fraction === null ? title : `${Math.round(fraction * 100)} % · ${title}`;
}

function slot(index) {
  return job.querySelector(`[data-slot="${Number(index)}"]`);
}

async function drawPreview(data) {
  const image = slot(data.index)?.querySelector("[data-preview]");
  if (!image || !MEDIA.test(data.media_type)) return;
  const next = new Image();
  next.src = `data:${data.media_type};base64,${data.base64}`;
  try {
    await next.decode();
  } catch {
    return;
  }
  image.src = next.src;
  image.hidden = false;
  image.classList.remove("earlier");
}

function drawText(data) {
  const poem = slot(data.index)?.querySelector("[data-poem]");
  if (!poem) return;
  // Between stanzas some engines leave a line empty: the places of the lines have that gap already.
  const all = data.text.split("\n");
  const lines = all.length === 1 ? all : all.filter((line) => line.trim());
  while (poem.children.length < lines.length) {
    const line = document.createElement("span");
    line.className = "line";
    poem.append(line);
  }
  [...poem.children].forEach((line, n) => {
    const text = lines[n] ?? "";
    if (line.textContent !== text) line.textContent = text;
  });
}

// --- Messages ---------------------------------------------------------------------------------------------

function contact() {
  lastContact = Date.now();
  part("job-lost").hidden = true;
}

function onMessage(message) {
  contact();
  if (message.job !== job.dataset.job || job.hasAttribute("data-final")) return;
  const { type, seq, data } = message;
  if (type === "job.state") onState(seq, data);
  else if (type === "job.output") refresh();
  else if (!fresh.hint(type, data.index ?? 0, seq, data.tick)) return;
  else if (type === "job.progress") {
    progress = data;
    drawProgress();
  } else if (type === "job.preview") drawPreview(data);
  else if (type === "job.text") drawText(data);
}

async function poll() {
  const response = await fetch(job.dataset.json, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const payload = await response.json();
  contact();
  onState(payload.seq, payload);
  for (const message of payload.live) onMessage(message);
}

// --- Clocks -------------------------------------------------------------------------------------------------

let workStarted = null;

function elapsedFrom() {
  const elapsed = job.querySelector("[data-elapsed]");
  workStarted = elapsed ? Date.now() - Number(elapsed.dataset.elapsed) * 1000 : null;
}

function spoken(seconds) {
  return seconds < 90
    ? words.seconds.replace("%(seconds)d", seconds)
    : words.minutes.replace("%(minutes)d", Math.round(seconds / 60));
}

function tick() {
  const elapsed = job.querySelector("[data-elapsed]");
  if (elapsed && workStarted) {
    elapsed.textContent = spoken(Math.max(0, Math.round((Date.now() - workStarted) / 1000)));
  }
  const age = Date.now() - lastContact;
  const lost = age > LOST_AFTER && !connection?.open;
  part("job-lost").hidden = !lost;
  if (lost) part("job-lost").querySelector("[data-age]").textContent = spoken(Math.round(age / 1000));
}

// --- Cancel without leaving the page ----------------------------------------------------------------------

part("job-actions").addEventListener("submit", async (event) => {
  const button = event.target.querySelector("[data-cancel]");
  if (!button) return;
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  button.textContent = words.states.canceling;
  try {
    const body = new FormData(event.target);
    await fetch(event.target.getAttribute("action"), { method: "POST", body, headers: { Accept: "application/json" } });
    refresh();
  } catch {
    event.target.submit();
  }
});

// --- Watching, and going over to another job ----------------------------------------------------------------

let clock = null;
let standing = null;

function watch() {
  if (job.hasAttribute("data-final")) return;
  elapsedFrom();
  clock = setInterval(tick, 1000);
  standing = setInterval(() => {
    if (job.dataset.state === "queued" && !document.hidden) refresh();
  }, QUEUE_REFRESH);
  connection = connect({ subscribe: { type: "subscribe", job: job.dataset.job }, onMessage, poll });
}

/** The mixer made a job of what was changed: this page becomes its page, with the old children in the new places. */
function follow({ page, address }) {
  connection?.close();
  clearInterval(clock);
  clearInterval(standing);
  const newer = page.getElementById("job");
  const earlier = [...job.querySelectorAll("#job-results .frame img:not([hidden])")].map((image) => image.src);
  history.replaceState(history.state, "", address);
  for (const name of ["job", "json", "state", "seq"]) job.dataset[name] = newer.dataset[name];
  job.removeAttribute("data-final");
  fresh = new Freshness(Number(job.dataset.seq));
  progress = null;
  said = "";
  lastContact = Date.now();
  document.title = title = page.title;
  for (const id of ["job-status", "job-actions", "job-results"]) {
    part(id).replaceChildren(...document.adoptNode(newer.querySelector(`#${id}`)).childNodes);
  }
  swapWords(newer);
  for (const [index, source] of earlier.entries()) {
    const image = slot(index)?.querySelector("[data-preview]");
    if (!image) continue;
    image.src = source;
    image.hidden = false;
    image.classList.add("earlier");
  }
  if (newer.hasAttribute("data-final")) finish();
  else watch();
  play(part("job-results"));
}

job.addEventListener("follow", (event) => follow(event.detail));
play(job);
watch();
