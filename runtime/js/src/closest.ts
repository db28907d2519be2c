/** Which known names a mistyped one is closest to: the measure of Python's difflib, on the way to an error only. */

/** Return up to `count` of `names` whose likeness to `name` is at least `cutoff`, the likest first. */
export function closest(name: string, names: Iterable<string>, count: number, cutoff: number): string[] {
  const rated: [number, string][] = [];
  for (const candidate of names) {
    const rating = likeness(candidate, name);
    if (rating >= cutoff) rated.push([rating, candidate]);
  }
  // Python takes the largest of (rating, name) pairs, so that equal ratings go by name, backwards.
  rated.sort(([a, x], [b, y]) => b - a || (x < y ? 1 : x > y ? -1 : 0));
  return rated.slice(0, count).map(([, candidate]) => candidate);
}

/** Twice the characters in common runs, over all characters (Ratcliff and Obershelp). */
function likeness(a: string, b: string): number {
  const total = a.length + b.length;
  return total === 0 ? 1 : (2 * common(a, b)) / total;
}

function common(a: string, b: string): number {
  let [length, startA, startB] = [0, 0, 0];
  let previous = new Uint16Array(b.length + 1);
  for (let i = 0; i < a.length; i++) {
    const current = new Uint16Array(b.length + 1);
    for (let j = 0; j < b.length; j++) {
      if (a[i] !== b[j]) continue;
      const run = (previous[j] ?? 0) + 1;
      current[j + 1] = run;
      if (run > length) [length, startA, startB] = [run, i - run + 1, j - run + 1];
    }
    previous = current;
  }
  if (length === 0) return 0;
  const before = common(a.slice(0, startA), b.slice(0, startB));
  return before + length + common(a.slice(startA + length), b.slice(startB + length));
}
