const dayMs = 86_400_000;

/** How old orbital elements are, and what that means for what is computed from them. */
export function ageNote(satellite: string, epoch: Date, at: Date): string {
  const signed = (at.getTime() - epoch.getTime()) / dayMs;
  const days = Math.abs(signed);
  const date = epoch.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const age = days < 1.5 ? `${Math.round(days * 24)} hours` : `${Math.round(days)} days`;
  return `${satellite}, computed by SGP4 from elements of ${date}, ${age} ${signed < 0 ? "ahead" : "old"}. ${accuracy(days)}`;
}

/** Along the orbit; height and the orbit's plane stay right for much longer. */
function accuracy(days: number): string {
  if (days <= 2) return "Good to a few kilometres.";
  if (days <= 10) return "Good to some tens of kilometres: drag changes from day to day.";
  const why = "drag changes, and every few weeks the station is boosted";
  if (days <= 30) return `Off by hundreds of kilometres along its orbit: ${why}.`;
  return `The orbit is right in shape, but the station may be thousands of kilometres ahead or behind on it: ${why}.`;
}
