// A sign and a hue for each category of the simulated product; others get a plain sign.

const SVG = "http://www.w3.org/2000/svg";
const SIGNS = {
  workflows: [265, "M5 6h5v5H5zM14 13h5v5h-5zM10 8.5h4a2.5 2.5 0 0 1 2.5 2.5v2"],
  integrations: [200, "M9 4v5M15 4v5M7 9h10v3a5 5 0 0 1-10 0zM12 17v3"],
  dashboards: [150, "M5 19V11M10 19V5M15 19v-6M20 19V8"],
  reports: [35, "M6 4h8l4 4v12H6zM9 12h6M9 16h6M14 4v4h4"],
  messaging: [330, "M4 6h16v10h-9l-4 4v-4H4zM8 11h8"],
  documents: [225, "M4 6a2 2 0 0 1 2-2h5v16H6a2 2 0 0 1-2-2zM13 4h5a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-5z"],
  templates: [95, "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z"],
  labs: [5, "M10 4h4M10.5 4v6L5 19a1 1 0 0 0 1 1.5h12A1 1 0 0 0 19 19l-5.5-9V4M8 15h8"],
};
const PLAIN = [180, "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14z"];

export function icon(category) {
  const [hue, path] = SIGNS[category] ?? PLAIN;
  const sign = document.createElementNS(SVG, "svg");
  sign.setAttribute("viewBox", "0 0 24 24");
  sign.setAttribute("class", "icon");
  sign.setAttribute("aria-hidden", "true");
  sign.style.setProperty("--hue", hue);
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  sign.append(line);
  return sign;
}
