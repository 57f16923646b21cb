// Finds the area of a picture with the weakest edges for text, and its luminances. Measured on a small copy.

const SIDE = 110; // px of the long side: enough for what is shown, too little for single strokes of a brush
const MARGIN = 0.045;

const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

/** WCAG contrast of two relative luminances. */
export function contrast(one, other) {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

/** Relative luminance of an sRGB colour, each channel in [0, 255]. */
export function luminance(red, green, blue) {
  return 0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
}

/** Sums over every rectangle from the top left corner, one row and column larger than the picture. */
function integral(values, width, height) {
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y += 1) {
    let row = 0;
    for (let x = 0; x < width; x += 1) {
      row += values[y * width + x];
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
    }
  }
  return (x, y, w, h) =>
    sums[(y + h) * (width + 1) + x + w] -
    sums[y * (width + 1) + x + w] -
    sums[(y + h) * (width + 1) + x] +
    sums[y * (width + 1) + x];
}

export class CalmArea {
  /** `image`: anything a canvas draws, of `width` x `height` px. Places are shares of its sides, in [0, 1]. */
  constructor(image, width, height) {
    const scale = SIDE / Math.max(width, height);
    this.width = Math.max(8, Math.round(width * scale));
    this.height = Math.max(8, Math.round(height * scale));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.width, this.height];
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, this.width, this.height);
    const { data } = pen.getImageData(0, 0, this.width, this.height);
    const count = this.width * this.height;
    this.light = new Float32Array(count); // relative luminance
    const tone = new Float32Array(count); // lightness, about as perceived
    for (let n = 0; n < count; n += 1) {
      this.light[n] = luminance(data[4 * n], data[4 * n + 1], data[4 * n + 2]);
      tone[n] = Math.cbrt(this.light[n]);
    }
    const gradient = new Float32Array(count);
    for (let y = 0; y < this.height; y += 1) {
      for (let x = 0; x < this.width; x += 1) {
        const across =
          tone[y * this.width + Math.min(x + 1, this.width - 1)] - tone[y * this.width + Math.max(x - 1, 0)];
        const down =
          tone[Math.min(y + 1, this.height - 1) * this.width + x] - tone[Math.max(y - 1, 0) * this.width + x];
        gradient[y * this.width + x] = Math.hypot(across, down);
      }
    }
    this.gradient = integral(gradient, this.width, this.height);
    this.tone = integral(tone, this.width, this.height);
    this.tone2 = integral(
      tone.map((value) => value * value),
      this.width,
      this.height,
    );
    this.mean = this.gradient(0, 0, this.width, this.height) / count || 1e-6;
  }

  /** Cost of text on a rectangle: its mean gradient relative to the picture's, plus the spread of its lightness. */
  cost(x, y, w, h) {
    const area = w * h;
    const mean = this.tone(x, y, w, h) / area;
    const spread = Math.sqrt(Math.max(0, this.tone2(x, y, w, h) / area - mean * mean));
    return this.gradient(x, y, w, h) / area / this.mean + 4 * spread;
  }

  /**
   * The calmest place for a block of `wide` x `tall` (shares): {x, y, cost}. `side`: "left" and "right" keep to
   * that edge; "calm" may go anywhere, rather to the edges and above than into the middle.
   */
  place(wide, tall, side = "calm") {
    const [w, h] = [Math.max(1, Math.round(wide * this.width)), Math.max(1, Math.round(tall * this.height))];
    const edge = Math.round(MARGIN * Math.min(this.width, this.height));
    const [maxX, maxY] = [Math.max(0, this.width - w - edge), Math.max(0, this.height - h - edge)];
    const [minX, minY] = [Math.min(edge, maxX), Math.min(edge, maxY)];
    const from = side === "right" ? maxX : minX;
    const to = side === "left" ? minX : maxX;
    let best = { x: from / this.width, y: minY / this.height, cost: Infinity };
    for (let y = minY; y <= maxY; y += 1) {
      for (let x = from; x <= to; x += 1) {
        const middle = 1 - Math.abs((x + w / 2) / this.width - 0.5) * 2;
        const low = (y + h / 2) / this.height;
        const cost = this.cost(x, y, Math.min(w, this.width), Math.min(h, this.height)) + 0.22 * middle + 0.12 * low;
        if (cost < best.cost) best = { x: x / this.width, y: y / this.height, cost };
      }
    }
    return best;
  }

  /** Relative luminances in a rectangle (shares), dark to light: one for each point of the small copy. */
  luminances(x, y, w, h) {
    const values = [];
    const [x0, y0] = [Math.max(0, Math.floor(x * this.width)), Math.max(0, Math.floor(y * this.height))];
    const [x1, y1] = [
      Math.min(this.width, Math.ceil((x + w) * this.width)),
      Math.min(this.height, Math.ceil((y + h) * this.height)),
    ];
    for (let row = y0; row < y1; row += 1)
      for (let column = x0; column < x1; column += 1) values.push(this.light[row * this.width + column]);
    return values.length ? values.sort((one, other) => one - other) : [0.5];
  }
}
