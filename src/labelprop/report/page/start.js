/* Everything is in place: begin, and follow scheme, size, printing and scrolling. */

function start() {
  startMap();
  startTrust();
  startChecks();
  startClassSearch();
  if (map.dots && rows.x) {
    const doubtful = everyRow.filter(i => toCheck(i) && isOnMap(i));
    select(doubtful.reduce((least, i) => (least < 0 || rows.certainty[i] < rows.certainty[least] ? i : least), -1));
  }
}

/** A table that is wider than its place fades out where it goes on, and the line above it says so. */
function showCue(box) {
  const hidden = box.scrollWidth - box.clientWidth;
  box.classList.toggle("after", hidden > 1 && box.scrollLeft < hidden - 1);
  const cue = box.previousElementSibling;
  if (cue && cue.matches(".cue")) cue.hidden = hidden <= 1;
}

function repaint() {
  if (!map.dots || !rows.x) return;
  readColors();
  paintMap();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  $$("details").forEach(fold => { fold.dataset.was = fold.open ? "open" : ""; fold.open = true; });
  repaint();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  $$("details").forEach(fold => { fold.open = fold.dataset.was === "open"; });
  repaint();
});

let lastWidth = 0;
new ResizeObserver(() => {
  const width = document.body.clientWidth;
  if (width === lastWidth) return;
  lastWidth = width;
  if ($("#slider")) drawCurve();
  if (map.dots && rows.x) { clampView(); drawMap(); }
  $$(".wide").forEach(showCue);
}).observe(document.body);
$$(".wide").forEach(box => box.addEventListener("scroll", () => showCue(box), { passive: true }));

const spy = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    $$(".toc a").forEach(link => {
      if (link.getAttribute("href") === "#" + entry.target.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }
}, { rootMargin: "-15% 0px -75% 0px" });
$$("main section").forEach(section => spy.observe(section));

start();
