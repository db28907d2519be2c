/** Find items by their names: every word of the query somewhere in the name, the start of a name first. */

export interface Found {
  readonly key: string;
  readonly name: string;
}

const SHOWN = 8;

/** Letters without accents and case, so that "amelie" finds "Amélie". */
function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

export class Search {
  private readonly plainNames: readonly string[];

  constructor(private readonly items: readonly Found[]) {
    this.plainNames = items.map((item) => plain(item.name));
  }

  /** Return the items that fit best, at most eight; none for an empty query. */
  find(query: string): Found[] {
    const words = plain(query).split(/\s+/).filter(Boolean);
    if (words.length === 0) return [];
    const ranked: [number, number][] = [];
    this.plainNames.forEach((name, index) => {
      if (words.every((word) => name.includes(word))) {
        const starts = name.startsWith(words[0]!) ? 0 : name.includes(` ${words[0]}`) ? 1 : 2;
        ranked.push([starts, index]);
      }
    });
    ranked.sort(([a, i], [b, j]) => a - b || this.plainNames[i]!.length - this.plainNames[j]!.length);
    return ranked.slice(0, SHOWN).map(([, index]) => this.items[index]!);
  }
}
