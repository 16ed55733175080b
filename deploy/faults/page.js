// A crosshair over the timelines: the samples at the pointer, in the place where else the panel's summary stands.
// The page is whole without it.
for (const plot of document.querySelectorAll(".plot")) {
  const rows = JSON.parse(plot.querySelector("script").textContent);
  if (rows.length === 0) continue;
  for (const svg of plot.querySelectorAll("svg")) {
    const [left, right, span, top, bottom] =
      ["left", "right", "span", "top", "bottom"].map(key => Number(svg.dataset[key]));
    const readings = [...svg.querySelectorAll(".reading")];
    const summaries = readings.map(r => r.textContent);
    const cross = document.createElementNS(svg.namespaceURI, "path");
    cross.setAttribute("class", "cross");
    const leave = () => {
      cross.remove();
      readings.forEach((r, i) => { r.textContent = summaries[i]; r.classList.remove("live"); });
    };
    svg.addEventListener("pointermove", event => {
      const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
      const time = (x - left) / (right - left) * span;
      const near = rows.reduce((a, b) => Math.abs(a[0] - time) > Math.abs(b[0] - time) ? b : a);
      const at = left + (right - left) * near[0] / span;
      if (x > right + 8 || left - 8 > x) return leave();
      cross.setAttribute("d", `M${at} ${top}V${bottom}`);
      svg.append(cross);
      readings.forEach((r, i) => {
        r.textContent = (i === 0 ? `at ${near[0].toFixed(1)} s:  ` : "") + near[i + 1];
        r.classList.add("live");
      });
    });
    svg.addEventListener("pointerleave", leave);
  }
}
