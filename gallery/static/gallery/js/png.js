// A canvas as a PNG file that says about itself what every picture of the studio says.

const XMP = (mark, about) =>
  `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">` +
  `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""` +
  ` xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"` +
  ` xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><xmp:CreatorTool>Artsite</xmp:CreatorTool>` +
  `<dc:source>${about}</dc:source>${mark}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>`;
const MARK =
  "<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>";

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

/** An iTXt chunk (PNG specification, 11.3.3.4): not compressed, of no language. */
function text(keyword, value) {
  const data = new TextEncoder().encode(`iTXt${keyword}\0\0\0\0\0${value}`);
  const chunk = new Uint8Array(data.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length - 4);
  chunk.set(data, 4);
  view.setUint32(data.length + 4, crc(data));
  return chunk;
}

/** The canvas as a PNG; `generated`: a network had a part in it; `about`: the address of the work. */
export async function pngOf(canvas, generated, about) {
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  if (!blob) throw new Error("the canvas is too large for this browser");
  const escaped = about.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  // Behind the header, which is always the first 33 bytes.
  return new Blob([blob.slice(0, 33), text("XML:com.adobe.xmp", XMP(generated ? MARK : "", escaped)), blob.slice(33)], {
    type: "image/png",
  });
}

/** Give the person a file. */
export function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
