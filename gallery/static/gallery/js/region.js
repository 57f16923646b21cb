// A region painted on the picture: it travels as a small black-and-white PNG in the file field beside it.

const LONGEST = 512;
const UNDO = 20;
const SEAL = "#b2301c";

const form = document.querySelector("[data-studio]");
const region = form.querySelector("[data-region]");
const part = (name) => region.querySelector(`[data-region-${name}]`);
const source = form.querySelector("#id_picture_image").closest("[data-picture]").querySelector("[data-preview]");
const [open, first, board, picture, canvas] = ["open", "first", "board", "picture", "canvas"].map(part);
const [size, undo, clear, file, says] = ["size", "undo", "clear", "file", "says"].map(part);
const invert = form.elements.invert;
const screen = canvas.getContext("2d");

/** What is painted: opaque inside, transparent outside. */
const mask = document.createElement("canvas");
const ink = mask.getContext("2d", { willReadFrequently: true });
const earlier = [];
let tool = "paint";
let last = null;
let brush = null;
let down = false;
let painted = false;

// --- The picture below ---------------------------------------------------------------------------------

async function begin() {
  const address = source.hidden ? "" : source.getAttribute("src");
  open.disabled = !address;
  first.hidden = Boolean(address);
  if (!address) {
    show(false);
    forget();
    picture.removeAttribute("src");
    return;
  }
  if (picture.getAttribute("src") === address) return;
  const known = picture.hasAttribute("src");
  picture.src = address;
  try {
    await picture.decode();
  } catch {
    return;
  }
  const scale = Math.min(1, LONGEST / Math.max(picture.naturalWidth, picture.naturalHeight));
  for (const one of [mask, canvas]) {
    one.width = Math.max(16, Math.round(picture.naturalWidth * scale));
    one.height = Math.max(16, Math.round(picture.naturalHeight * scale));
  }
  earlier.length = 0;
  brush = { x: mask.width / 2, y: mask.height / 2 };
  // Another picture has other regions; the one that came with the page belongs to its picture.
  if (known) forget();
  else await recall();
  draw();
}

/** Put a region that was brought as a picture onto the board. */
async function load(address) {
  const brought = new Image();
  brought.src = address;
  await brought.decode();
  ink.clearRect(0, 0, mask.width, mask.height);
  ink.drawImage(brought, 0, 0, mask.width, mask.height);
  const pixels = ink.getImageData(0, 0, mask.width, mask.height);
  for (let n = 0; n < pixels.data.length; n += 4) {
    pixels.data[n + 3] = Math.round(
      (pixels.data[n + 3] * (pixels.data[n] + pixels.data[n + 1] + pixels.data[n + 2])) / 765,
    );
    pixels.data.fill(255, n, n + 3);
  }
  ink.putImageData(pixels, 0, 0);
}

async function recall() {
  const kept = part("kept");
  if (!kept) return;
  try {
    await load(kept.dataset.source);
    painted = true;
    part("fold").open = false;
    show(true);
    standing();
  } catch {
    // It stays in the form as it came.
  }
}

function forget() {
  ink.clearRect(0, 0, mask.width, mask.height);
  earlier.length = 0;
  painted = false;
  file.value = "";
  part("kept")?.remove();
  region.querySelector(".region-kept")?.remove();
  standing();
  draw();
}

function show(on) {
  board.hidden = !on;
  open.setAttribute("aria-expanded", String(on));
}

open.addEventListener("click", () => {
  show(board.hidden);
  if (!board.hidden) {
    draw();
    canvas.focus({ preventScroll: true });
  }
});
new MutationObserver(begin).observe(source, { attributes: true, attributeFilter: ["src", "hidden"] });

// --- Painting ----------------------------------------------------------------------------------------------

const width = () => (Number(size.value) / 100) * Math.min(mask.width, mask.height);

function remember() {
  earlier.push(ink.getImageData(0, 0, mask.width, mask.height));
  if (earlier.length > UNDO) earlier.shift();
}

function stroke(from, to) {
  ink.globalCompositeOperation = tool === "erase" ? "destination-out" : "source-over";
  ink.strokeStyle = "#fff";
  ink.lineCap = ink.lineJoin = "round";
  ink.lineWidth = width();
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  // A line without length is not drawn everywhere; a hair's breadth is a dot.
  ink.lineTo(to.x + 0.01, to.y);
  ink.stroke();
  ink.globalCompositeOperation = "source-over";
  draw();
}

/** What will be repainted, in the colour of the seal over the picture. */
function draw() {
  if (!mask.width) return;
  screen.clearRect(0, 0, canvas.width, canvas.height);
  if (painted || last || down) {
    screen.globalAlpha = 0.5;
    screen.fillStyle = SEAL;
    screen.fillRect(0, 0, canvas.width, canvas.height);
    screen.globalAlpha = 1;
    screen.globalCompositeOperation = invert.checked ? "destination-out" : "destination-in";
    screen.drawImage(mask, 0, 0);
    screen.globalCompositeOperation = "source-over";
  }
  if (!brush || (document.activeElement !== canvas && !last)) return;
  for (const [line, colour] of [
    [3, "#fff"],
    [1.5, down ? SEAL : "#000"],
  ]) {
    screen.beginPath();
    screen.arc(brush.x, brush.y, Math.max(2, width() / 2), 0, 2 * Math.PI);
    screen.lineWidth = line;
    screen.strokeStyle = colour;
    screen.stroke();
  }
}

function at(event) {
  const box = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * mask.width,
    y: ((event.clientY - box.top) / box.height) * mask.height,
  };
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button > 0 || last) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  remember();
  last = brush = at(event);
  stroke(last, last);
});
canvas.addEventListener("pointermove", (event) => {
  if (!last) return;
  for (const one of event.getCoalescedEvents?.() ?? [event]) {
    brush = at(one);
    stroke(last, brush);
    last = brush;
  }
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, () => {
    if (!last) return;
    last = null;
    keep();
  });
}
for (const name of ["focus", "blur"]) canvas.addEventListener(name, draw);

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") {
    event.preventDefault();
    down = !down;
    says.textContent = down ? says.dataset.down : says.dataset.up;
    if (down) {
      remember();
      stroke(brush, brush);
    }
    keep();
    return;
  }
  const way = ARROWS[event.key];
  if (!way) return;
  event.preventDefault();
  const far = Math.max(mask.width, mask.height) * (event.shiftKey ? 0.1 : 0.02);
  const next = {
    x: Math.min(mask.width, Math.max(0, brush.x + way[0] * far)),
    y: Math.min(mask.height, Math.max(0, brush.y + way[1] * far)),
  };
  const before = brush;
  brush = next;
  if (down) {
    stroke(before, next);
    keep();
  } else draw();
});

// --- Tools ---------------------------------------------------------------------------------------------

for (const button of region.querySelectorAll("[data-region-tool]")) {
  button.addEventListener("click", () => {
    tool = button.dataset.regionTool;
    for (const one of region.querySelectorAll("[data-region-tool]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
  });
}
size.addEventListener("input", draw);
invert.addEventListener("change", draw);
undo.addEventListener("click", () => {
  if (!earlier.length) return;
  ink.putImageData(earlier.pop(), 0, 0);
  keep();
});
clear.addEventListener("click", () => {
  remember();
  ink.clearRect(0, 0, mask.width, mask.height);
  keep();
});

function standing() {
  undo.disabled = !earlier.length;
  clear.disabled = !painted;
  region.classList.toggle("has-region", painted || Boolean(file.files.length));
}

// --- Into the form -------------------------------------------------------------------------------------

let turn = 0;

/** The file field holds what is painted, white on black; nothing painted is no region. */
function keep() {
  painted = ink.getImageData(0, 0, mask.width, mask.height).data.some((value, n) => n % 4 === 3 && value > 127);
  part("kept")?.remove();
  region.querySelector(".region-kept")?.remove();
  standing();
  draw();
  turn += 1;
  const mine = turn;
  if (!painted) {
    file.value = "";
    standing();
    return;
  }
  const sheet = document.createElement("canvas");
  sheet.width = mask.width;
  sheet.height = mask.height;
  const paper = sheet.getContext("2d");
  paper.fillRect(0, 0, sheet.width, sheet.height);
  paper.drawImage(mask, 0, 0);
  sheet.toBlob((blob) => {
    if (mine !== turn || !blob) return;
    const carrier = new DataTransfer();
    carrier.items.add(new File([blob], `${region.dataset.name}.png`, { type: "image/png" }));
    file.files = carrier.files;
    region.dataset.ready = String(mine);
    standing();
  }, "image/png");
}

file.addEventListener("change", async () => {
  const brought = file.files[0];
  if (!brought || !mask.width) return standing();
  try {
    remember();
    await load(URL.createObjectURL(brought));
    keep();
    show(true);
  } catch {
    // The server says what is wrong with it.
    standing();
  }
});

begin();
