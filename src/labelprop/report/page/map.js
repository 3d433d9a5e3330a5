/* The map: one canvas of dots, and above it one for the rings of what is pointed at or selected. */

const map = {
  dots: $("#dots"), rings: $("#rings"), by: "label", only: false, lit: [], hover: -1, pin: -1,
  view: { scale: 1, x: 0, y: 0 }, width: 0, height: 0, colors: {}, sheets: [], stamps: new Map(), queued: false, visible: false, stale: false,
};
const EDGE = 26, CLOSEST = 12, PICTURES_FROM = 4, MOST_LIT = 6, NAMED_CLASSES = 100, GRID = 9999;

const mapX = i => (EDGE + rows.x[i] / GRID * (map.width - 2 * EDGE)) * map.view.scale + map.view.x;
const mapY = i => (EDGE + rows.y[i] / GRID * (map.height - 2 * EDGE)) * map.view.scale + map.view.y;
const isLit = i => !map.lit.length || map.lit.includes(rows.label[i]);
const isDrawn = i => isOnMap(i) && isLit(i) && !(map.only && !toCheck(i));

function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const key of ["bg", "ink", "muted", "off", "wrong", "check", "halo", "right"]) map.colors[key] = style.getPropertyValue("--" + key).trim();
  map.colors.classes = Array.from({ length: COLORS }, (_, code) => style.getPropertyValue("--c" + code).trim());
  map.stamps.clear();
}

function classColor(code) {
  if (code < 0) return map.colors.muted;
  if (colorful) return map.colors.classes[code];
  const place = map.lit.indexOf(code);
  return place < 0 ? map.colors.off : map.colors.classes[place];
}

/** The mark that stands for a class beside its color; a disc where colors do not stand for classes. */
function markOf(i) {
  if (map.by !== "label" || !isReached(i)) return 0;
  const place = colorful ? rows.label[i] : map.lit.indexOf(rows.label[i]);
  return place < 0 ? 0 : data.marks[place];
}

function dotColor(i) {
  if (!isReached(i)) return map.colors.muted;
  if (map.by === "label") return classColor(rows.label[i]);
  if (map.by === "right") return isWrong(i) ? map.colors.wrong : map.colors.right;
  return isKept(i) ? map.colors.right : map.colors.check;
}

function drawMap() {
  if (map.queued || !map.dots) return;
  map.queued = true;
  requestAnimationFrame(() => { map.queued = false; paintMap(); });
}

function fitCanvas(canvas) {
  const ratio = Math.min(3, devicePixelRatio || 1), width = Math.round(map.width * ratio), height = Math.round(map.height * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; map.stamps.clear(); }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, map.width, map.height);
  return pen;
}

const dotRadius = () => {
  const crowd = Math.min(1, Math.sqrt(3000 / Math.max(1, shownCount)) + 0.25);
  return (map.width < 480 ? 2.3 : 3.2) * crowd * Math.min(2, Math.sqrt(map.view.scale));
};

function paintMap() {
  map.stale = false;
  const box = map.dots.parentElement.getBoundingClientRect();
  if (!box.width) return;
  map.width = box.width - 2; map.height = box.height - 2;
  const pen = fitCanvas(map.dots), radius = dotRadius();
  const pictures = map.view.scale >= PICTURES_FROM && map.sheets.length > 0 && map.sheets.every(sheet => sheet.complete);
  const drawn = [], faint = [];
  for (const i of everyRow) if (isOnMap(i)) (isDrawn(i) ? drawn : faint).push(i);
  const put = (i, paint) => {
    const x = mapX(i), y = mapY(i);
    if (x > -30 && y > -30 && x < map.width + 30 && y < map.height + 30) paint(x, y, i);
  };
  for (const i of faint) put(i, (x, y) => stamp(pen, x, y, radius * 0.72, map.colors.off, 1));
  drawn.sort((a, b) => rows.given[a] - rows.given[b] || rows.certainty[b] - rows.certainty[a] || a - b);
  for (const i of drawn) put(i, pictures ? (x, y) => paintPicture(pen, x, y, i) : (x, y) => paintDot(pen, x, y, i, radius));
  if (map.by === "right" && !pictures) for (const i of drawn) if (isWrong(i)) put(i, (x, y) => paintCross(pen, x, y, radius + 2));
  if (!pictures) paintNames(pen);
  paintRings(pictures ? pictureEdge() / 2 + 4 : radius + 6);
}

/** A dot, drawn once in each color and mark and copied from then on. */
function stamp(pen, x, y, radius, color, alpha, mark = 0) {
  const key = `${color} ${alpha} ${radius} ${mark}`;
  let copy = map.stamps.get(key);
  if (!copy) {
    const ratio = Math.min(3, devicePixelRatio || 1), half = Math.ceil(1.4 * radius + 1);
    copy = { half, canvas: document.createElement("canvas") };
    copy.canvas.width = copy.canvas.height = 2 * half * ratio;
    const brush = copy.canvas.getContext("2d");
    brush.scale(ratio, ratio);
    brush.globalAlpha = alpha;
    paintMark(brush, half, half, radius, color, mark);
    map.stamps.set(key, copy);
  }
  pen.drawImage(copy.canvas, x - copy.half, y - copy.half, 2 * copy.half, 2 * copy.half);
}

function disc(pen, x, y, radius, color) {
  pen.fillStyle = color;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}

const CORNERS = [[], [[0, -1.3], [1.2, 0.9], [-1.2, 0.9]], [[0, -1.4], [1.2, 0], [0, 1.4], [-1.2, 0]], [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]];

/** Disc, triangle, diamond or square, about equally large. */
function paintMark(pen, x, y, radius, color, mark) {
  if (!mark) { disc(pen, x, y, radius, color); return; }
  pen.fillStyle = color;
  pen.beginPath();
  for (const [across, down] of CORNERS[mark]) pen.lineTo(x + across * radius, y + down * radius);
  pen.fill();
}

function paintDot(pen, x, y, i, radius) {
  const color = dotColor(i);
  if (!isReached(i)) {
    pen.strokeStyle = color;
    pen.lineWidth = 1.3;
    pen.strokeRect(x - radius, y - radius, 2 * radius, 2 * radius);
    return;
  }
  if (isGiven(i)) {
    const [outer, inner, core] = map.width < 480 ? [2.4, 1.4, 0.2] : [3.6, 2.4, 0.8];
    disc(pen, x, y, radius + outer, map.colors.ink);
    disc(pen, x, y, radius + inner, map.colors.bg);
    paintMark(pen, x, y, radius + core, color, markOf(i));
    return;
  }
  const plain = map.by === "right" ? isWrong(i) : map.by === "kept" && toCheck(i);
  stamp(pen, x, y, radius, color, map.by === "label" ? 0.86 : plain ? 1 : 0.5, markOf(i));
}

function paintCross(pen, x, y, reach) {
  pen.strokeStyle = map.colors.wrong;
  pen.lineWidth = 2.2;
  pen.beginPath();
  pen.moveTo(x - reach, y - reach); pen.lineTo(x + reach, y + reach);
  pen.moveTo(x + reach, y - reach); pen.lineTo(x - reach, y + reach);
  pen.stroke();
}

const pictureEdge = () => Math.max(20, Math.min(data.sheets.edge, 32)) * Math.min(2, map.view.scale / PICTURES_FROM);

function paintPicture(pen, x, y, i) {
  const { per, columns, edge } = data.sheets, inside = i % per, size = pictureEdge();
  pen.imageSmoothingEnabled = size <= data.original;
  pen.drawImage(map.sheets[Math.floor(i / per)], inside % columns * edge, Math.floor(inside / columns) * edge, edge, edge, x - size / 2, y - size / 2, size, size);
  pen.lineWidth = isGiven(i) ? 3 : 2;
  pen.strokeStyle = dotColor(i);
  pen.strokeRect(x - size / 2, y - size / 2, size, size);
  if (map.by === "right" && isWrong(i)) paintCross(pen, x + size / 2, y - size / 2, 4);
}

/** For each class the row nearest to the middle of its rows: where its name stands. */
function middles() {
  const median = values => values.sort((a, b) => a - b)[values.length >> 1];
  const members = data.classes.map(() => []);
  for (const i of everyRow) if (isOnMap(i) && isReached(i)) members[rows.label[i]].push(i);
  return members.map(inside => {
    if (!inside.length) return -1;
    const x = median(inside.map(i => rows.x[i])), y = median(inside.map(i => rows.y[i]));
    const away = i => Math.hypot(rows.x[i] - x, rows.y[i] - y);
    return inside.reduce((best, i) => (away(i) < away(best) ? i : best), inside[0]);
  });
}

/** Names of the groups, largest first; one that would cover another is left out. */
function paintNames(pen) {
  if (data.classes.length < 2) return;
  const large = colorful || map.lit.length, size = map.width < 480 ? (large ? 16 : 12) : large ? 19 : 13, taken = [];
  pen.font = `600 ${size}px ${getComputedStyle(document.body).fontFamily}`;
  pen.textAlign = "center"; pen.textBaseline = "middle"; pen.lineJoin = "round";
  map.middles.forEach((i, code) => {
    if (i < 0 || (map.lit.length ? !map.lit.includes(code) : data.classes.length >= NAMED_CLASSES)) return;
    const text = cut(data.classes[code], 18), half = pen.measureText(text).width / 2 + 2;
    const x = Math.max(half, Math.min(map.width - half, mapX(i))), y = mapY(i);
    if (taken.some(([a, b, reach]) => Math.abs(a - x) < reach + half && Math.abs(b - y) < size)) return;
    taken.push([x, y, half]);
    pen.lineWidth = 6; pen.strokeStyle = map.colors.halo; pen.strokeText(text, x, y);
    pen.fillStyle = map.colors.ink; pen.fillText(text, x, y);
  });
}

function paintRings(reach) {
  const pen = fitCanvas(map.rings);
  for (const [i, width] of [[map.pin, 3], [map.hover, 2]]) {
    if (i < 0 || !isOnMap(i)) continue;
    for (const [line, color] of [[width + 2, map.colors.bg], [width, map.colors.ink]]) {
      pen.lineWidth = line; pen.strokeStyle = color;
      pen.beginPath(); pen.arc(mapX(i), mapY(i), reach, 0, 7); pen.stroke();
    }
  }
}

function refreshRings() {
  const pictures = map.view.scale >= PICTURES_FROM && map.sheets.length > 0;
  paintRings(pictures ? pictureEdge() / 2 + 4 : dotRadius() + 6);
}

function loadSheets() {
  for (let sheet = 0; data.sheets && sheet * data.sheets.per < shownCount; sheet += 1) {
    const probe = el("span", { class: `th p${sheet}`, hidden: "" });
    document.body.append(probe);
    const picture = new Image();
    picture.onload = drawMap;
    picture.src = getComputedStyle(probe).backgroundImage.replace(/^url\(["']?|["']?\)$/g, "");
    probe.remove();
    map.sheets.push(picture);
  }
}
