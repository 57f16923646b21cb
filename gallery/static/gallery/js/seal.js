// A name as a seal: red characters on paper (朱文) or paper characters on red (白文), with irregular edges.

const RED = "#b3281a";
const HAN = /\p{Script=Han}/u;
const FACES = '"Songti SC", STSong, "Noto Serif CJK SC", "Source Han Serif SC", "Noto Serif SC", SimSun, serif';

/** The characters of the seal: up to four Chinese characters, filled up as carvers do (王维之印), or the initials of a name. */
export function sealText(name) {
  const han = [...name].filter((one) => HAN.test(one));
  if (han.length >= 4) return han.slice(0, 4);
  if (han.length === 3) return [...han, "印"];
  if (han.length === 2) return [...han, "之", "印"];
  if (han.length === 1) return han;
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return words.slice(0, 4).map((word) => [...word][0].toLocaleUpperCase());
}

/** A seeded random generator (mulberry32), values in [0, 1): the seal of a name is the same everywhere. */
function seededRandom(text) {
  let state = [...text].reduce((sum, one) => (Math.imul(sum, 31) + one.codePointAt(0)) >>> 0, 2166136261);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Cells of a unit square in reading order: down and to the left, or for Latin letters row by row. */
function cells(count, across) {
  if (count === 1) return [[0, 0, 1, 1]];
  if (count === 2 && across) return [0, 0.5].map((x) => [x, 0, 0.5, 1]);
  if (count === 2) return [0, 0.5].map((y) => [0, y, 1, 0.5]);
  const [left, right] = [0, 0.5].map((x) => [0, 0.5].map((y) => [x, y, 0.5, 0.5]));
  const order = across ? [left[0], right[0], left[1], right[1]] : [...right, ...left];
  return order.slice(0, count);
}

/** A path around the square of `side`, never quite straight. */
function edge(pen, side, inset, random, wear) {
  const steps = 14;
  const corners = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ];
  pen.beginPath();
  corners.forEach(([x, y], n) => {
    const [toX, toY] = corners[(n + 1) % 4];
    for (let step = 0; step < steps; step += 1) {
      const t = step / steps;
      const blunt = step === 0 ? 0.035 * side : 0;
      const px = inset + (side - 2 * inset) * (x + (toX - x) * t) + (random() - 0.5) * wear;
      const py = inset + (side - 2 * inset) * (y + (toY - y) * t) + (random() - 0.5) * wear;
      pen.lineTo(px + (x ? -blunt : blunt) * Number(step === 0), py + (y ? -blunt : blunt) * Number(step === 0));
    }
  });
  pen.closePath();
}

/** Fill each cell with its character, stretched to it as seal script is. */
function carve(pen, text, side, inset) {
  const across = !HAN.test(text[0]);
  const room = side - 2 * inset;
  pen.textAlign = "center";
  pen.textBaseline = "alphabetic";
  cells(text.length, across).forEach(([x, y, w, h], n) => {
    pen.font = `${across ? 600 : 700} 100px ${FACES}`;
    const {
      actualBoundingBoxAscent: up,
      actualBoundingBoxDescent: down,
      actualBoundingBoxLeft: left,
      actualBoundingBoxRight: right,
    } = pen.measureText(text[n]);
    const [wide, tall] = [0.86 * w * room, 0.86 * h * room];
    const stretch = Math.min(1.7, tall / (up + down) / (wide / (left + right)));
    const scale = Math.min(wide / (left + right), tall / (up + down) / Math.max(1, stretch));
    pen.save();
    pen.translate(inset + (x + w / 2) * room, inset + (y + h / 2) * room);
    pen.scale(scale, scale * Math.max(1, stretch));
    pen.fillText(text[n], (left - right) / 2, (up - down) / 2);
    pen.restore();
  });
}

/**
 * The seal of `name` as a canvas of `side` px, or null when there is nothing to cut.
 * `style`: "red" (朱文: characters and frame) or "white" (白文: characters out of a red ground). `backed`: with
 * paper behind it, for a ground that is none.
 */
export function seal(name, side, style, backed = false) {
  const text = sealText(name);
  if (!text.length || side < 4) return null;
  const random = seededRandom(text.join(""));
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil(side);
  const pen = canvas.getContext("2d");
  pen.fillStyle = pen.strokeStyle = RED;
  pen.lineJoin = "round";
  const wear = 0.022 * side;
  if (style === "white") {
    edge(pen, side, 0.025 * side, random, wear);
    pen.fill();
    pen.globalCompositeOperation = "destination-out";
    carve(pen, text, side, 0.1 * side);
  } else {
    pen.lineWidth = 0.052 * side;
    edge(pen, side, 0.05 * side, random, wear * 0.7);
    pen.stroke();
    carve(pen, text, side, 0.12 * side);
    pen.globalCompositeOperation = "destination-out";
  }
  // Specks without colour, as in a printed seal.
  for (let n = 0; n < 46; n += 1) {
    pen.globalAlpha = 0.35 + 0.65 * random();
    pen.beginPath();
    pen.arc(random() * side, random() * side, (0.003 + 0.011 * random() ** 2) * side, 0, 7);
    pen.fill();
  }
  if (backed) {
    pen.globalAlpha = style === "white" ? 0.92 : 0.8;
    pen.globalCompositeOperation = "destination-over";
    pen.fillStyle = "#f6f0e2";
    edge(pen, side, 0.05 * side, random, 0);
    pen.fill();
  }
  return canvas;
}
