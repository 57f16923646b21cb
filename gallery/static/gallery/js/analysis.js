// Why the network thinks so: its evidence laid over the picture as heat, and all of it composed into one PNG.
// A custom element: on a job's page the analysis arrives when the work is done.

// Dark violet over red to pale yellow: lightness rises with the heat, so that it reads without colour too.
const RAMP = [
  [0, 48, 12, 84],
  [0.3, 134, 28, 100],
  [0.55, 214, 58, 62],
  [0.78, 247, 138, 44],
  [1, 255, 236, 142],
];
const LONGEST = 640;
const SHEET_LONGEST = 1600;

/** Heat in [0, 1] -> red, green, blue. */
function colour(heat) {
  let high = 1;
  while (high < RAMP.length - 1 && heat > RAMP[high][0]) high += 1;
  const [from, to] = [RAMP[high - 1], RAMP[high]];
  const share = Math.min(1, Math.max(0, (heat - from[0]) / (to[0] - from[0])));
  return [1, 2, 3].map((n) => from[n] + (to[n] - from[n]) * share);
}

/** How much of the picture heat covers: what is cold stays as it is. */
const cover = (heat) => Math.min(1, heat * 1.15) ** 0.85;

/** Weights of the four cells around a place: a cubic B-spline, smooth and never outside the cells' range. */
function spline(t) {
  const [a, b] = [1 - t, t];
  return [a ** 3, 3 * b ** 3 - 6 * b ** 2 + 4, 3 * a ** 3 - 6 * a ** 2 + 4, b ** 3].map((weight) => weight / 6);
}

/** Cells (rows of `count` values each `stride` apart) -> `length` values between them. */
function stretch(read, count, length) {
  const out = new Float32Array(length);
  for (let n = 0; n < length; n += 1) {
    const place = ((n + 0.5) / length) * count - 0.5;
    const cell = Math.floor(place);
    const weights = spline(place - cell);
    for (let k = 0; k < 4; k += 1) {
      out[n] += weights[k] * read(Math.min(count - 1, Math.max(0, cell - 1 + k)));
    }
  }
  return out;
}

/** One map -> values in [0, 1] at width x height, the hottest place 1. */
function smooth({ width, height, cells }, toWidth, toHeight) {
  const across = [];
  for (let y = 0; y < height; y += 1) across.push(stretch((x) => cells[y * width + x], width, toWidth));
  const values = new Float32Array(toWidth * toHeight);
  let top = 1;
  for (let x = 0; x < toWidth; x += 1) {
    stretch((y) => across[y][x], height, toHeight).forEach((value, y) => {
      values[y * toWidth + x] = value;
      if (value > top) top = value;
    });
  }
  return values.map((value) => value / top);
}

function painted(values, width, height, strength) {
  const image = new ImageData(width, height);
  values.forEach((heat, n) => {
    image.data.set(colour(heat), 4 * n);
    image.data[4 * n + 3] = 255 * cover(heat) * strength;
  });
  return image;
}

class AnalysisView extends HTMLElement {
  connectedCallback() {
    if (this.ready) return;
    this.ready = true;
    this.picture = this.querySelector("[data-picture]");
    this.heat = this.querySelector("canvas[data-heat]");
    this.addEventListener("change", (event) => {
      if (event.target.matches("[data-evidence]")) this.show(event.target);
      else if (event.target.matches("[data-horizon]")) this.horizon(event.target.checked);
    });
    this.addEventListener("input", (event) => {
      if (event.target.matches("[data-strength]")) this.draw();
    });
    this.querySelector("[data-compose]").addEventListener("click", (event) => this.compose(event.currentTarget));
    this.drawScale(this.querySelector("canvas[data-scale]"));
    const chosen = this.querySelector("[data-evidence]:checked") ?? this.querySelector("[data-evidence]");
    if (chosen) this.show(chosen);
  }

  get strength() {
    return Number(this.querySelector("[data-strength]")?.value ?? 0) / 100;
  }

  show(input) {
    input.checked = true;
    const { width, height, cells, label, share } = input.dataset;
    const map = {
      width: Number(width),
      height: Number(height),
      cells: Uint8Array.from(atob(cells), (one) => one.charCodeAt(0)),
    };
    const [w, h] = [this.picture.getAttribute("width"), this.picture.getAttribute("height")].map(Number);
    const scale = Math.min(1, LONGEST / Math.max(w, h));
    this.heat.width = Math.max(map.width, Math.round(w * scale));
    this.heat.height = Math.max(map.height, Math.round(h * scale));
    this.values = smooth(map, this.heat.width, this.heat.height);
    this.shown = { label, share };
    this.querySelector("[data-shown]").textContent = `${label} · ${share}`;
    this.draw();
  }

  draw() {
    if (!this.values) return;
    const { width, height } = this.heat;
    this.heat.getContext("2d").putImageData(painted(this.values, width, height, this.strength), 0, 0);
  }

  drawScale(canvas) {
    if (!canvas) return;
    const row = Float32Array.from({ length: canvas.width }, (_, n) => n / (canvas.width - 1));
    const values = new Float32Array(canvas.width * canvas.height);
    for (let y = 0; y < canvas.height; y += 1) values.set(row, y * canvas.width);
    canvas.getContext("2d").putImageData(painted(values, canvas.width, canvas.height, 1), 0, 0);
  }

  horizon(on) {
    this.querySelector("[data-horizon-line]").toggleAttribute("hidden", !on);
  }

  /** Picture, heat, horizon, scale and palette as one PNG, as they are shown now. */
  async compose(button) {
    await this.picture.decode();
    const [w, h] = [this.picture.naturalWidth, this.picture.naturalHeight];
    const scale = Math.min(SHEET_LONGEST / Math.max(w, h), Math.max(1, 720 / Math.max(w, h)));
    const [width, height] = [Math.max(420, Math.round(w * scale)), Math.round(h * scale)];
    const drawn = Math.round(w * scale);
    const unit = Math.max(14, Math.round(Math.max(width, height) / 52));
    const swatches = [...this.querySelectorAll("[data-swatch]")];
    const rows = Math.ceil(swatches.length / 3);
    const sheet = document.createElement("canvas");
    sheet.width = width + 2 * unit;
    sheet.height = height + unit * (4.4 + (this.shown ? 4.1 : 0) + 2 * rows);
    const pen = sheet.getContext("2d");
    const style = getComputedStyle(this);
    const ink = style.getPropertyValue("color");
    const write = (text, x, y, weight = 400) => {
      pen.font = `${weight} ${unit}px ${style.fontFamily}`;
      pen.fillStyle = ink;
      pen.fillText(text, x, y);
      return pen.measureText(text).width;
    };
    pen.fillStyle = getComputedStyle(document.body).backgroundColor;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    const left = unit + (width - drawn) / 2;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.picture, left, unit, drawn, height);
    if (this.values) pen.drawImage(this.heat, left, unit, drawn, height);
    const line = this.querySelector("[data-horizon-line]:not([hidden]) path");
    if (line) this.composeHorizon(pen, line, left, unit, drawn, height);
    let y = unit + height + 2 * unit;
    if (this.shown) {
      const { heatWord, little, much } = button.dataset;
      const begun = unit + write(`${heatWord} `, unit, y);
      write(`${this.shown.label} · ${this.shown.share}`, begun, y, 600);
      y += 1.9 * unit;
      let x = unit + write(`${little} `, unit, y);
      const scaled = this.querySelector("canvas[data-scale]");
      pen.drawImage(scaled, x, y - 0.75 * unit, 9 * unit, 0.8 * unit);
      x += 9.4 * unit;
      write(much, x, y);
      y += 2.2 * unit;
    }
    swatches.forEach((one, n) => {
      const x = unit + ((n % 3) * width) / 3;
      const row = y + Math.floor(n / 3) * 2 * unit;
      pen.fillStyle = one.dataset.swatch;
      pen.fillRect(x, row - 0.95 * unit, 1.2 * unit, 1.2 * unit);
      write(
        [".swatch-name", ".numbers"].map((part) => one.querySelector(part).textContent).join(" "),
        x + 1.7 * unit,
        row,
      );
    });
    write(`Artsite · ${location.host}`, unit, sheet.height - 0.8 * unit);
    const blob = await new Promise((done) => sheet.toBlob(done, "image/png"));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = this.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  composeHorizon(pen, line, left, top, width, height) {
    const percent = Number(/M0 ([\d.]+)/.exec(line.getAttribute("d"))[1]);
    const y = top + (height * percent) / 100;
    for (const [stroke, thickness] of [
      ["rgb(0 0 0 / 55%)", 4],
      ["#fff", 1.6],
    ]) {
      pen.beginPath();
      pen.moveTo(left, y);
      pen.lineTo(left + width, y);
      pen.strokeStyle = stroke;
      pen.lineWidth = thickness;
      pen.setLineDash([10, 6]);
      pen.stroke();
    }
    pen.setLineDash([]);
  }
}

customElements.define("analysis-view", AnalysisView);
