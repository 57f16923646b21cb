// A poem as a card to pass on: drawn here, kept as a PNG or handed to the system's own way of sharing.

import { keep, pngOf } from "./png.js";
import {
  chineseDate,
  columns,
  columnsSize,
  drawColumns,
  drawPlate,
  INK,
  PAPER,
  plateOf,
  SERIF,
} from "./poem-typesetting.js";

const WIDE = 1080;
const EDGE = 84;
const FOOT = 92;
const RULE = "rgb(179 40 26 / 30%)";

const dialog = document.querySelector("[data-card]");
const opener = document.querySelector("[data-card-open]");

/** The picture of the poem, or null when there is none or it does not come. */
async function pictureOf() {
  if (!dialog.dataset.picture) return null;
  const image = new Image();
  image.src = dialog.dataset.picture;
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  }
}

async function draw(canvas) {
  const { title, author, made } = dialog.dataset;
  const lines = JSON.parse(document.getElementById("card-lines").textContent);
  const vertical = dialog.hasAttribute("data-vertical");
  const picture = await pictureOf();
  const pen = canvas.getContext("2d");
  const inner = WIDE - 2 * EDGE;
  const shown = picture ? Math.round(Math.min(1.1 * inner, (inner * picture.naturalHeight) / picture.naturalWidth)) : 0;
  const above = picture ? EDGE + shown + 64 : EDGE + 30;
  if (vertical) {
    const date = chineseDate(new Date(made));
    const all = columns(lines, 1, { title, author, date }, true);
    let unit = picture ? 66 : 84;
    unit *= Math.min(1, inner / columnsSize(pen, all, unit).width);
    const size = columnsSize(pen, all, unit);
    [canvas.width, canvas.height] = [WIDE, Math.round(above + size.height + 64 + FOOT)];
    paper(pen, canvas, picture, shown);
    rules(pen, all, unit, (WIDE + size.width) / 2, above, size.height);
    drawColumns(pen, all, unit, (WIDE + size.width) / 2, above, {
      ink: INK,
      halo: "",
      haloSize: 0,
      name: author,
      style: "red",
    });
  } else {
    const date = new Date(made).toLocaleDateString(document.documentElement.lang, { year: "numeric", month: "long" });
    const sign = { title, author, date };
    const poem = { lines, starts: JSON.parse(document.getElementById("card-starts").textContent) };
    const plate = plateOf(pen, poem, inner, picture ? 40 : 46, sign, true);
    [canvas.width, canvas.height] = [WIDE, Math.round(above + plate.height + 64 + FOOT)];
    paper(pen, canvas, picture, shown);
    drawPlate(pen, poem, plate, (WIDE - plate.width) / 2, above, sign, { ink: INK, name: author, style: "red" });
  }
  pen.fillStyle = "#6b6356";
  pen.font = `26px ${SERIF}`;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.fillText(dialog.dataset.medium, EDGE, canvas.height - FOOT / 2 - 12, inner * 0.55);
  pen.textAlign = "right";
  pen.fillText(`Artsite · ${location.host}`, WIDE - EDGE, canvas.height - FOOT / 2 - 12, inner * 0.43);
}

function paper(pen, canvas, picture, shown) {
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = "rgb(34 29 24 / 18%)";
  pen.lineWidth = 2;
  pen.strokeRect(30, 30, canvas.width - 60, canvas.height - 60);
  if (!picture) return;
  pen.imageSmoothingQuality = "high";
  const inner = WIDE - 2 * EDGE;
  // A tall picture keeps its shape and stands in the middle: nothing is cropped.
  const width = Math.min(inner, (shown * picture.naturalWidth) / picture.naturalHeight);
  pen.drawImage(picture, (WIDE - width) / 2, EDGE, width, shown);
}

/** The thin red rules of letter paper, between the columns. */
function rules(pen, all, unit, right, top, height) {
  pen.strokeStyle = RULE;
  pen.lineWidth = 1.5;
  let x = right;
  const line = () => {
    pen.beginPath();
    pen.moveTo(x, top - 0.3 * unit);
    pen.lineTo(x, top + height + 0.3 * unit);
    pen.stroke();
  };
  line();
  for (const column of all) {
    x -= columnsSize(pen, [column], unit).width;
    line();
  }
}

if (dialog && opener) {
  const canvas = dialog.querySelector("canvas");
  const { name } = dialog.dataset;
  const blob = () => pngOf(canvas, true, location.href);
  const share = dialog.querySelector("[data-card-share]");
  share.hidden = !navigator.canShare?.({ files: [new File([], "poem.png", { type: "image/png" })] });
  opener.addEventListener("click", async () => {
    await draw(canvas);
    canvas.hidden = false;
    dialog.showModal();
  });
  dialog.querySelector("[data-card-keep]").addEventListener("click", async () => keep(await blob(), name));
  share.addEventListener("click", async () => {
    const file = new File([await blob()], name, { type: "image/png" });
    try {
      await navigator.share({ files: [file], title: dialog.dataset.title });
    } catch (problem) {
      if (problem.name !== "AbortError") throw problem;
    }
  });
  dialog.querySelector("[data-card-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
