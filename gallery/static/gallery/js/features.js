// What to dream of: plates are pressed, sliders are moved, and the line of text says it. The text is the field.

const field = document.querySelector("[data-features]");
const text = field.querySelector("[data-text]");
const wanted = field.querySelector("[data-wanted]");
const most = Number(field.dataset.most);
const plates = new Map();

// --- The text -----------------------------------------------------------------------------------------

/** [code, weight] of everything that the text names; what is no feature of the sheet is kept as it is. */
function read() {
  return text.value
    .split(/[,，、;；]/)
    .map((item) => item.trim())
    .filter(Boolean)
    .map((item) => {
      const [what, weight] = item.split(/[*＊×]/).map((part) => part.trim());
      const code = codeOf(what);
      const number = weight === undefined ? 1 : Number(weight);
      return code && number > 0 ? [code, number] : [item, null];
    });
}

function codeOf(what) {
  const written = what.toLowerCase().replace("：", ":").replaceAll(" ", "");
  if (plates.has(written)) return written;
  for (const [code, plate] of plates)
    if (code.includes(":") && plate.name.toLowerCase() === what.toLowerCase()) return code;
  return /^s\d(:\d+)?$/.test(written) ? written : "";
}

function write(items) {
  text.value = items
    .map(([code, weight]) => (weight === null || weight === 1 ? code : `${code}*${Number(weight.toFixed(2))}`))
    .join(", ");
}

function say(words) {
  const line = field.querySelector("[data-features-say]");
  line.textContent = words;
  line.hidden = !words;
}

// --- What is chosen -------------------------------------------------------------------------------------

function show() {
  const items = read().filter(([, weight]) => weight !== null);
  const codes = new Set(items.map(([code]) => code));
  for (const [code, plate] of plates) plate.button.setAttribute("aria-pressed", String(codes.has(code)));
  const rows = new Map([...wanted.children].map((row) => [row.dataset.code, row]));
  wanted.replaceChildren(
    ...items.map(([code, weight]) => {
      const row = rows.get(code) ?? rowOf(code);
      const range = row.querySelector("input");
      range.value = String(Math.round(weight * 100));
      row.querySelector("output").textContent = `${Math.round(weight * 100)} %`;
      return row;
    }),
  );
}

function rowOf(code) {
  const plate = plates.get(code);
  const name = plate?.name ?? code;
  const row = document.createElement("li");
  row.dataset.code = code;
  const small = plate?.picture.cloneNode(true) ?? Object.assign(document.createElement("span"), { className: "plate" });
  if (!code.includes(":")) small.classList.add("whole-plate");
  const label = Object.assign(document.createElement("span"), {
    className: "wanted-name",
    textContent: name,
    title: `${name} (${code})`,
  });
  const slider = Object.assign(document.createElement("div"), { className: "with-output" });
  const range = Object.assign(document.createElement("input"), { type: "range", min: "10", max: "200", step: "10" });
  range.dataset.unit = " %";
  range.setAttribute("aria-label", field.dataset.weight.replace("%s", name));
  slider.append(range, document.createElement("output"));
  range.addEventListener("input", () => {
    write(read().map(([one, weight]) => (one === code ? [one, range.value / 100] : [one, weight])));
  });
  const remove = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
  remove.setAttribute("aria-label", field.dataset.remove.replace("%s", name));
  remove.addEventListener("click", () => {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    toggle(code);
    (next?.querySelector("button") ?? plates.get(code)?.button ?? text).focus();
  });
  row.append(small, label, slider, remove);
  return row;
}

function toggle(code) {
  const items = read();
  const there = items.some(([one, weight]) => one === code && weight !== null);
  if (!there && items.length >= most) {
    say(field.dataset.full);
    return;
  }
  say("");
  write(there ? items.filter(([one]) => one !== code) : [...items, [code, 1]]);
  show();
}

// --- Plates: buttons of a grid that is one stop of the Tab key; arrows walk in it ---------------------------

for (const place of field.querySelectorAll("[data-code]")) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.append(...place.childNodes);
  place.append(button);
  const { code, name } = place.dataset;
  button.title = `${name} · ${code}`;
  plates.set(code, { button, name, picture: button.querySelector("[data-plate]") });
  button.addEventListener("click", () => toggle(code));
}

for (const grid of field.querySelectorAll("[data-grid]")) {
  const buttons = [...grid.querySelectorAll("button")];
  const stop = (one) => {
    for (const button of buttons) button.tabIndex = button === one ? 0 : -1;
  };
  stop(buttons[0]);
  grid.addEventListener("focusin", (event) => stop(event.target));
  grid.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target);
    const next =
      { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key] ??
      beside(buttons, at, event.key);
    if (next === undefined || !buttons[next]) return;
    event.preventDefault();
    buttons[next].focus();
  });
}

/** The button above or below: the nearest in the next row. */
function beside(buttons, at, key) {
  const way = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (!way) return undefined;
  const here = buttons[at].getBoundingClientRect();
  let best;
  let least = Infinity;
  for (const [number, button] of buttons.entries()) {
    const there = button.getBoundingClientRect();
    const down = (there.top - here.top) * way;
    const distance = down * 3 + Math.abs(there.left - here.left);
    if (down > here.height / 2 && distance < least) [best, least] = [number, distance];
  }
  return best;
}

text.addEventListener("input", () => {
  say("");
  show();
});
addEventListener("pageshow", show);
show();
