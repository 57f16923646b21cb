// A poem set on its picture, live, and taken away as a file. Without this the two stand side by side.

import { CalmArea, contrast, luminance } from "./calm-area.js";
import { keep, pngOf } from "./png.js";
import { chineseDate, columns, columnsSize, drawColumns, drawPlate, INK, PAPER, plateOf } from "./poem-typesetting.js";

const LEAST = 1200; // long side in px: small pictures are enlarged, or their characters would be coarse
const MOST = 2400;
const UNIT = 0.05; // of a character, as a share of the picture's mean side, at 100 %
const ROOM = 0.88; // most of the picture's height or width that a poem takes
const READABLE = 4.5; // contrast (WCAG) from which on no halo is needed
const ENOUGH = 7; // contrast beyond which more is no gain
const DOUBT = 0.25; // log of contrast, about a quarter more
const MANY = 8; // lines from which on a plate beneath a picture grows tall
const STEP = 0.02;
const SIZES = [1, 0.85, 0.72]; // a calmer place may be smaller
const SMALLER = 1.1; // weight of smaller characters against the cost of a place
const INKS = { black: "#16120e", white: "#fdf9f0", cinnabar: "#a3271a" };
const SILK = "#cdbf9f";
const SILK_LINE = "#a8946a";

const channels = (colour) => [1, 3, 5].map((n) => parseInt(colour.slice(n, n + 2), 16));

class InscriptionDesk extends HTMLElement {
  async connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.picture = this.querySelector("[data-picture]");
    this.canvas = this.querySelector("[data-canvas]");
    this.form = this.querySelector("[data-options]");
    const places = [...this.querySelectorAll("[data-poem] .line")].filter((line) => line.textContent.trim());
    this.lines = places.map((line) => line.textContent.trim());
    this.starts = places.flatMap((line, n) => (line.classList.contains("opens") ? [n] : []));
    try {
      await this.picture.decode();
    } catch {
      return this.fail(this.dataset.failed);
    }
    const [width, height] = [this.picture.naturalWidth, this.picture.naturalHeight];
    const longest = Math.max(width, height);
    const scale = Math.min(MOST, Math.max(LEAST, longest)) / longest;
    [this.wide, this.tall] = [Math.round(width * scale), Math.round(height * scale)];
    this.area = new CalmArea(this.picture, this.wide, this.tall);
    this.form.addEventListener("input", () => this.draw());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.querySelector("[data-download]").addEventListener("click", () => this.download());
    if (this.vertical) this.movable();
    this.picture.hidden = true;
    this.canvas.hidden = false;
    this.classList.add("set");
    this.draw();
  }

  get vertical() {
    return this.hasAttribute("data-vertical");
  }

  get options() {
    const data = new FormData(this.form);
    return {
      place: data.get("place") ?? "beneath",
      ink: data.get("ink") ?? "auto",
      size: Number(data.get("size")) / 100,
      seal: data.get("seal"),
      author: (data.get("author") ?? this.dataset.author).trim(),
      title: data.has("title") ? this.dataset.title : "",
      date: data.has("date"),
    };
  }

  signOf({ title, author, date }) {
    const made = new Date(this.dataset.made);
    const day = this.vertical
      ? chineseDate(made)
      : made.toLocaleDateString(document.documentElement.lang, { year: "numeric", month: "long" });
    return { title, author, date: date ? day : "" };
  }

  draw() {
    const options = this.options;
    const pen = this.canvas.getContext("2d");
    if (!this.vertical) this.drawBeneath(pen, options);
    else if (options.place === "above") this.drawAbove(pen, options);
    else this.drawOn(pen, options);
    this.classList.toggle("mounted", !this.vertical || options.place === "above");
  }

  resize(width, height) {
    [this.canvas.width, this.canvas.height] = [Math.round(width), Math.round(height)];
  }

  drawPicture(pen, left, top) {
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.picture, left, top, this.wide, this.tall);
  }

  // --- On the picture ----------------------------------------------------------------------------

  drawOn(pen, options) {
    this.resize(this.wide, this.tall);
    this.drawPicture(pen, 0, 0);
    const block = this.blockOf(pen, options);
    this.block = block;
    const look = { ...this.inkOf(options, block), name: options.author, style: options.seal, backed: true };
    drawColumns(pen, block.columns, block.unit, (block.x + block.width) * this.wide, block.y * this.tall, look);
  }

  /** One or two lines in a column, and where: what the picture has the calmest room for. Sides are shares. */
  blockOf(pen, options) {
    const side = Math.sqrt(this.wide * this.tall);
    const wish = UNIT * side * options.size;
    const ways = (this.lines.length > 2 ? [1, 2] : [1]).flatMap((lines) => SIZES.map((share) => [lines, share]));
    const found = ways.map(([perColumn, share]) => {
      const all = columns(this.lines, perColumn, this.signOf(options), options.seal !== "none");
      const wanted = columnsSize(pen, all, wish);
      const unit = wish * Math.min(share, (ROOM * this.wide) / wanted.width, (ROOM * this.tall) / wanted.height);
      const size = columnsSize(pen, all, unit);
      const [width, height] = [size.width / this.wide, size.height / this.tall];
      const place = options.place === "own" ? { ...this.own, cost: 0 } : this.area.place(width, height, options.place);
      // Small characters cost more than weak edges behind large ones.
      const cost = place.cost + SMALLER * Math.log(wish / unit);
      return { columns: all, unit, width, height, perColumn, x: place.x, y: place.y, cost };
    });
    const keeps = options.place === "own" && found.find((one) => one.perColumn === this.own.perColumn);
    const best = keeps || found.reduce((one, other) => (other.cost < one.cost ? other : one));
    best.x = Math.min(Math.max(0, best.x), Math.max(0, 1 - best.width));
    best.y = Math.min(Math.max(0, best.y), Math.max(0, 1 - best.height));
    return best;
  }

  /** The ink of most contrast with what is behind it, and a halo where some of that has too little contrast. */
  inkOf(options, { x, y, width, height }) {
    const ground = this.area.luminances(x, y, width, height);
    const own = (ink) => luminance(...channels(ink));
    // More contrast than enough is no gain: one bright spot must not decide about a dark sky.
    const reading = (ink) =>
      ground.reduce((sum, light) => sum + Math.log(Math.min(ENOUGH, contrast(own(ink), light))), 0);
    // In doubt white: with a dark rim it reads on every middle tone, black with a light one looks smudged.
    const black = reading(INKS.black) - reading(INKS.white) > DOUBT * ground.length;
    const ink = INKS[options.ink] ?? (black ? INKS.black : INKS.white);
    const reached = ground.map((light) => contrast(own(ink), light)).sort((one, other) => one - other);
    const worst = reached[Math.floor(reached.length * 0.15)];
    if (worst >= READABLE) return { ink, halo: "", haloSize: 0 };
    const strength = Math.min(0.95, 0.35 + 0.6 * ((READABLE - worst) / (READABLE - 1)));
    const behind = own(ink) > 0.35 ? "12 10 8" : "255 252 244";
    return { ink, halo: `rgb(${behind} / ${strength})`, haloSize: 0.32 };
  }

  // --- Mounted on paper ----------------------------------------------------------------------------

  /** A mount of silk and paper: the poem above the picture, where friends wrote on a scroll. */
  drawAbove(pen, options) {
    const side = Math.sqrt(this.wide * this.tall);
    const all = columns(this.lines, 1, this.signOf(options), options.seal !== "none");
    const border = 0.055 * side;
    let unit = 0.058 * side * options.size;
    unit *= Math.min(1, (0.86 * this.wide) / columnsSize(pen, all, unit).width);
    const size = columnsSize(pen, all, unit);
    const sheet = size.height + 2.4 * unit;
    const gap = 0.03 * side;
    this.resize(this.wide + 2 * border, border + sheet + gap + this.tall + 1.3 * border);
    this.mount(pen, border, [
      [border, sheet],
      [border + sheet + gap, this.tall],
    ]);
    const right = border + (this.wide + size.width) / 2;
    drawColumns(pen, all, unit, right, border + 1.2 * unit, {
      ink: INK,
      halo: "",
      haloSize: 0,
      name: options.author,
      style: options.seal,
    });
    this.drawPicture(pen, border, border + sheet + gap);
  }

  mount(pen, border, panels) {
    pen.fillStyle = SILK;
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    // The weave: hardly to be seen, but flat it would look like cardboard.
    pen.fillStyle = "rgb(255 255 255 / 7%)";
    const thread = Math.max(2, Math.round(border / 18));
    for (let y = 0; y < this.canvas.height; y += 2 * thread) pen.fillRect(0, y, this.canvas.width, thread);
    for (const [top, height] of panels) {
      pen.fillStyle = PAPER;
      pen.fillRect(border, top, this.wide, height);
      pen.strokeStyle = SILK_LINE;
      pen.lineWidth = Math.max(1, border / 40);
      pen.strokeRect(
        border - 3 * pen.lineWidth,
        top - 3 * pen.lineWidth,
        this.wide + 6 * pen.lineWidth,
        height + 6 * pen.lineWidth,
      );
    }
  }

  /** Lines of Latin letters on a plate beneath the picture, on one sheet of paper. */
  drawBeneath(pen, options) {
    const side = Math.sqrt(this.wide * this.tall);
    const border = 0.05 * side;
    const sign = this.signOf(options);
    // A long poem is set smaller: the picture stays what is seen first.
    const unit = (this.lines.length > MANY ? 0.03 : 0.036) * side * options.size;
    const plate = plateOf(pen, this, 0.94 * this.wide, unit, sign, options.seal !== "none");
    this.resize(this.wide + 2 * border, border + this.tall + border + plate.height + border);
    pen.fillStyle = PAPER;
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawPicture(pen, border, border);
    pen.strokeStyle = "rgb(0 0 0 / 25%)";
    pen.lineWidth = Math.max(1, border / 50);
    pen.strokeRect(border, border, this.wide, this.tall);
    const left = border + (this.wide - plate.width) / 2;
    drawPlate(pen, this, plate, left, 2 * border + this.tall, sign, {
      ink: INK,
      name: options.author,
      style: options.seal,
    });
  }

  // --- Moved by hand ---------------------------------------------------------------------------------

  movable() {
    let from = null;
    const share = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (this.options.place === "above" || event.button) return;
      const [x, y] = share(event);
      const { block } = this;
      if (x < block.x || x > block.x + block.width || y < block.y || y > block.y + block.height) return;
      from = [x - block.x, y - block.y];
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [x, y] = share(event);
      this.move(x - from[0], y - from[1]);
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => (from = null));
    // A finger on the poem moves it; anywhere else it scrolls the page.
    this.canvas.addEventListener("touchmove", (event) => from && event.preventDefault(), { passive: false });
    this.canvas.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey || this.options.place === "above") return;
      event.preventDefault();
      const step = event.shiftKey ? 4 * STEP : STEP;
      this.move(this.block.x + way[0] * step, this.block.y + way[1] * step);
    });
  }

  move(x, y) {
    const { width, height, perColumn } = this.block;
    this.own = {
      x: Math.min(Math.max(0, x), Math.max(0, 1 - width)),
      y: Math.min(Math.max(0, y), Math.max(0, 1 - height)),
      perColumn,
    };
    const choice = this.querySelector("[data-own]");
    choice.hidden = false;
    choice.querySelector("input").checked = true;
    this.draw();
  }

  // --- Kept --------------------------------------------------------------------------------------

  async download() {
    try {
      const blob = await pngOf(this.canvas, this.hasAttribute("data-generated"), location.href);
      keep(blob, this.dataset.name);
    } catch (problem) {
      this.fail(problem.message);
    }
  }

  fail(text) {
    const place = this.querySelector("[data-error]");
    place.textContent = text;
    place.hidden = false;
  }
}

customElements.define("inscription-desk", InscriptionDesk);
