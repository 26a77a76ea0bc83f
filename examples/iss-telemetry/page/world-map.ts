import { landPath } from "./coastlines.ts";
import { footprintOutline, type GroundPoint, nightOutline, pathThrough, unwrapped } from "./geometry.ts";
import { svg } from "./svg.ts";

/** What a position says that a map shows. */
export interface MapPosition {
  readonly subpoint: GroundPoint;
  readonly subsolarPoint: GroundPoint;
  readonly altitudeKm: number;
}

/** Points of the received trail that are kept, more than a revolution's; the oldest go first. */
const maxReceived = 4000;

/** The world in equal degrees, with what is known of the orbit. */
export class WorldMap {
  readonly root: SVGSVGElement;
  readonly #night = svg("path", { class: "night" });
  readonly #past = svg("path", { class: "past" });
  readonly #future = svg("path", { class: "future" });
  readonly #received = svg("path", { class: "received" });
  readonly #footprint = svg("path", { class: "footprint" });
  readonly #station = svg("g", { class: "station", visibility: "hidden" });
  readonly #trail: GroundPoint[] = [];

  constructor() {
    this.#station.append(svg("circle", { class: "halo", r: 4.5 }), svg("circle", { class: "dot", r: 1.8 }));
    const overlay = svg(
      "g",
      { id: "overlay" },
      ...[this.#footprint, this.#past, this.#future, this.#received, this.#station],
    );
    this.root = svg(
      "svg",
      { viewBox: "-180 -90 360 180", role: "img", "aria-label": "World map with the station's path over the ground" },
      svg("rect", { class: "sea", x: -180, y: -90, width: 360, height: 180 }),
      svg("path", { class: "graticule", d: graticule() }),
      svg("path", { class: "land", id: "land", d: landPath() }),
      ...copies("#land"),
      this.#night,
      overlay,
      ...copies("#overlay"),
    );
  }

  /** A position that was received. */
  position({ subpoint, subsolarPoint, altitudeKm }: MapPosition): void {
    this.#trail.push(subpoint);
    if (this.#trail.length > maxReceived) this.#trail.shift();
    this.#received.setAttribute("d", pathThrough(unwrapped(this.#trail)));
    this.#night.setAttribute("d", pathThrough(nightOutline(subsolarPoint), true));
    this.#footprint.setAttribute("d", pathThrough(footprintOutline(subpoint, altitudeKm), true));
    const { longitudeDeg, latitudeDeg } = subpoint;
    this.#station.setAttribute("transform", `translate(${longitudeDeg.toFixed(3)} ${(-latitudeDeg).toFixed(3)})`);
    this.#station.setAttribute("visibility", "visible");
  }

  /** The path one revolution back and one ahead. */
  track(past: readonly GroundPoint[], future: readonly GroundPoint[]): void {
    this.#past.setAttribute("d", pathThrough(unwrapped(past)));
    this.#future.setAttribute("d", pathThrough(unwrapped(future)));
  }

  /** Messages may have been missed: the trail begins anew instead of drawing a line that nobody has sent. */
  gap(): void {
    this.#trail.length = 0;
  }
}

/** Lines go on beyond the date line; copies a turn to the east and to the west bring what is cut off there. */
function copies(href: string): SVGUseElement[] {
  return [-360, 360].map((x) => svg("use", { href, x }));
}

/** Meridians and parallels every 30 degrees. */
function graticule(): string {
  const lines: string[] = [];
  for (let x = -150; x <= 150; x += 30) lines.push(`M${x},-90V90`);
  for (let y = -60; y <= 60; y += 30) lines.push(`M-180,${y}H180`);
  return lines.join("");
}
