// The styles: a press on a ready one takes it into the mix or out of it; every style has a place with a slider.
// Without this file one ready style is chosen by a radio button, and further ones from lists.

const form = document.querySelector("[data-studio]");
const styles = form.querySelector("[data-styles]");
const list = styles.querySelector("[data-mix]");
const cards = [...styles.querySelectorAll(".style-grid input")];
const places = [...list.querySelectorAll("[data-place]")];
const says = styles.querySelector("[data-mix-says]");

const part = (place, name) => place.querySelector(`[data-${name}]`);
const file = (place) => place.querySelector("input[type=file]");
const weight = (place) => place.querySelector("input[type=range]");
const vacant = (place) => place.classList.contains("vacant");
const ready = (place) => part(place, "ready");

// The first place gets a field of its own, and the cards become what they look like: any may be pressed.
const first = document.createElement("input");
first.type = "hidden";
first.name = "style";
first.dataset.ready = "";
first.value = cards.find((card) => card.checked)?.value ?? "";
if (part(places[0], "work").value || part(places[0], "kept").value) first.value = "";
places[0].append(first);
for (const card of cards) {
  card.removeAttribute("name");
  card.type = "checkbox";
}

const NOTHING = { slug: "", work: "", upload: "", files: null, source: "", title: "", weight: null };

/** A list of its own: a field that is emptied empties the list that it shares with another. */
function copied(files) {
  const carrier = new DataTransfer();
  for (const one of files) carrier.items.add(one);
  return carrier.files;
}

function read(place) {
  return {
    slug: ready(place).value,
    work: part(place, "work").value,
    upload: part(place, "kept").value,
    files: copied(file(place).files),
    source: vacant(place) ? "" : part(place, "preview").getAttribute("src"),
    title: part(place, "title").textContent,
    weight: weight(place).value,
  };
}

function write(place, style) {
  const picture = part(place, "preview");
  ready(place).value = style.slug;
  part(place, "work").value = style.work;
  part(place, "kept").value = style.upload;
  if (style.files?.length) file(place).files = style.files;
  else file(place).value = "";
  picture.removeAttribute("width");
  picture.removeAttribute("height");
  const there = Boolean(style.slug || style.source);
  picture.hidden = !style.source;
  if (style.source) picture.src = style.source;
  else picture.removeAttribute("src");
  part(place, "title").textContent = style.title;
  place.classList.toggle("vacant", !there);
  for (const error of place.querySelectorAll(".error-text")) error.remove();
  const slider = weight(place);
  slider.value = style.weight ?? slider.dataset.default;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}

function changed() {
  const slugs = places.filter((place) => !vacant(place)).map((place) => ready(place).value);
  for (const card of cards) card.checked = slugs.includes(card.value);
  list.classList.toggle("mixed", slugs.length > 1);
  says.hidden = true;
}

function add(style) {
  const place = places.find(vacant);
  if (!place) {
    changed();
    says.textContent = styles.dataset.full;
    says.hidden = false;
    return;
  }
  write(place, { ...NOTHING, ...style });
  changed();
}

function remove(place) {
  for (let n = places.indexOf(place); n < places.length; n += 1) {
    write(places[n], n + 1 < places.length ? read(places[n + 1]) : NOTHING);
  }
  changed();
}

for (const card of cards) {
  card.addEventListener("change", () => {
    const taken = places.find((place) => !vacant(place) && ready(place).value === card.value);
    if (taken) remove(taken);
    else {
      const source = card.parentElement.querySelector("img")?.getAttribute("src") ?? "";
      add({ slug: card.value, source, title: card.dataset.title });
    }
  });
}

function bring(one) {
  const carrier = new DataTransfer();
  carrier.items.add(one);
  add({ files: carrier.files, source: URL.createObjectURL(one), title: one.name });
}

styles.addEventListener("click", (event) => {
  const adds = event.target.closest("[data-add]");
  const removes = event.target.closest("[data-remove]");
  if (!adds && !removes) return;
  event.preventDefault();
  if (adds) {
    add({ work: adds.value, source: adds.querySelector("img").src, title: adds.title });
    return;
  }
  const place = removes.closest("[data-place]");
  remove(place);
  (vacant(place) ? file(place) : part(place, "remove")).focus();
});

list.addEventListener("change", (event) => {
  if (event.target.type !== "file") return;
  const chosen = event.target.files[0];
  if (!chosen) return;
  // Without gaps: whatever place was pressed, the first free one is taken.
  event.target.value = "";
  bring(chosen);
});

for (const name of ["dragover", "dragleave", "drop"]) {
  list.addEventListener(name, (event) => {
    const place = event.target.closest("[data-place]");
    if (!place) return;
    place.classList.toggle("over", name === "dragover");
    if (name === "dragleave") return;
    event.preventDefault();
    const dropped = [...event.dataTransfer.files].find((one) => one.type.startsWith("image/"));
    if (name === "drop" && dropped) bring(dropped);
  });
}

changed();
