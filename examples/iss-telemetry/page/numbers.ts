import type { GroundPoint } from "./geometry.ts";

/** What is shown in numbers. */
export interface Telemetry {
  readonly at: Date;
  readonly subpoint: GroundPoint;
  readonly altitudeKm: number;
  readonly speedKmS: number;
  readonly sunlit: boolean;
}

/** The newest position in numbers. */
export class Numbers {
  readonly #values = new Map<string, HTMLElement>();
  readonly #root: HTMLElement;

  constructor(root: HTMLElement) {
    this.#root = root;
    for (const name of ["Latitude", "Longitude", "Altitude", "Speed", "Light", "Time (UTC)", "Received"])
      this.#set(name, "–");
  }

  /** @param received how many positions have come */
  show({ at, subpoint, altitudeKm, speedKmS, sunlit }: Telemetry, received: number): void {
    this.#set("Latitude", degreesText(subpoint.latitudeDeg, "N", "S"));
    this.#set("Longitude", degreesText(subpoint.longitudeDeg, "E", "W"));
    this.#set("Altitude", `${altitudeKm.toFixed(1)} km`);
    this.#set("Speed", `${speedKmS.toFixed(3)} km/s`);
    this.#set("Light", sunlit ? "in sunlight" : "in the Earth’s shadow");
    this.#set("Time (UTC)", at.toISOString().slice(11, 19));
    this.#set("Received", `${received} ${received === 1 ? "position" : "positions"}`);
  }

  #set(name: string, text: string): void {
    let value = this.#values.get(name);
    if (value === undefined) {
      const term = document.createElement("dt");
      term.textContent = name;
      value = document.createElement("dd");
      const pair = document.createElement("div");
      pair.append(term, value);
      this.#root.append(pair);
      this.#values.set(name, value);
    }
    value.textContent = text;
  }
}

function degreesText(degrees: number, positive: string, negative: string): string {
  return `${Math.abs(degrees).toFixed(3)}° ${degrees < 0 ? negative : positive}`;
}
