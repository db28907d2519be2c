/** The page: search, history, and the next items of two variants side by side. */
import * as golden from "../src/golden.ts";
import type { Item } from "../src/recommender.ts";
import type { Variant } from "../src/types.ts";
import { combobox } from "./combobox.ts";
import { agreement, marks, type Mark } from "./compare.ts";
import { Engine, engineBytes, type Answer } from "./engine.ts";
import { Search } from "./search.ts";

const K = 10;

function byId<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K, className: string, ...children: (string | Node)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

/** Show an expected failure in its own sentence. */
function fail(error: unknown): void {
  const alert = byId("alert");
  alert.textContent = error instanceof Error ? error.message : String(error);
  alert.hidden = false;
}

/** Run an action of the user's; what fails is shown, what succeeds clears an old failure. */
function guarded(action: () => Promise<void>): () => void {
  return () => {
    action().then(() => (byId("alert").hidden = true), fail);
  };
}

class Page {
  private readonly history: string[] = [];
  private readonly shown: Variant[];
  private readonly names = new Map<string, string>();
  private turn = 0;

  constructor(private readonly engine: Engine) {
    this.shown = [...engine.pair()];
  }

  /** Fill in what the bundle says and wire the controls. */
  async start(): Promise<void> {
    const { manifest } = this.engine;
    const { vocabulary } = await this.engine.recommender(this.engine.variants[0]!);
    for (let id = 1; id <= vocabulary.length; id++) {
      const key = vocabulary.key(id);
      this.names.set(key, vocabulary.title(id) ?? key);
    }
    const search = new Search([...this.names].map(([key, name]) => ({ key, name })));
    const input = byId<HTMLInputElement>("search");
    combobox(input, byId("found"), (query) => search.find(query), (item) => this.add(item.key));
    input.disabled = false;
    input.placeholder = `${manifest.model.n_items.toLocaleString("en")} items`;
    byId("subtitle").textContent =
      `A SASRec model of ${manifest.provenance.data}, ${manifest.model.n_items.toLocaleString("en")} items. ` +
      "Every list is computed in this browser.";
    byId("undo").addEventListener("click", guarded(() => this.change(() => this.history.pop())));
    byId("clear").addEventListener("click", guarded(() => this.change(() => this.history.splice(0))));
    byId("example").addEventListener("click", guarded(() => this.example()));
    byId("verify").addEventListener("click", guarded(() => this.verify()));
    for (const id of ["example", "verify"]) byId<HTMLButtonElement>(id).disabled = false;
    await this.show();
  }

  private add(key: string): void {
    guarded(() => this.change(() => this.history.push(key)))();
  }

  private async change(edit: () => unknown): Promise<void> {
    edit();
    await this.show();
  }

  private async show(): Promise<void> {
    const turn = ++this.turn;
    this.showHistory();
    const answers: Answer[] = [];
    // One after the other: side by side they would time each other.
    for (const variant of this.shown) answers.push(await this.engine.recommend(variant, this.history, K));
    if (turn !== this.turn) return; // a newer click has overtaken this one
    byId("columns").replaceChildren(...this.shown.map((variant, i) => this.column(variant, i, answers)));
    const [first, second] = answers;
    byId("agreement").textContent = first && second && !first.isFallback ? agreement(second.items, first.items) : "";
    byId("loaded").textContent =
      `Loaded: ${megabytes(this.engine.bytes())} of the bundle, ${megabytes(engineBytes())} of onnxruntime-web, unpacked.`;
    document.body.dataset["ready"] = String(turn);
  }

  private showHistory(): void {
    byId("history").replaceChildren(
      ...this.history.map((key, index) => {
        const button = element("button", "", this.names.get(key) ?? key);
        button.type = "button";
        button.ariaLabel = `Remove ${this.names.get(key) ?? key}`;
        button.addEventListener("click", guarded(() => this.change(() => this.history.splice(index, 1))));
        return element("li", "", button);
      }),
    );
    byId("hint").hidden = this.history.length > 0;
    for (const id of ["undo", "clear"]) byId<HTMLButtonElement>(id).disabled = this.history.length === 0;
  }

  private column(variant: Variant, place: number, answers: readonly Answer[]): HTMLElement {
    const answer = answers[place]!;
    const other = answers[1 - place];
    const facts = element(
      "p", "facts",
      element("strong", "", answer.isFallback ? "popular items" : `${answer.ms.toFixed(2)} ms`),
      element("span", "", megabytes(this.engine.bytes(variant))),
    );
    const seen = other ? marks(answer.items, other.items) : new Map<string, Mark>();
    const rows = answer.items.map((item, rank) => this.row(item, rank, seen.get(item.key)));
    return element("div", "column", this.select(variant, place), facts, element("ol", "items", ...rows));
  }

  private select(variant: Variant, place: number): HTMLElement {
    const select = element("select", "");
    select.ariaLabel = `Variant of list ${place + 1}`;
    for (const { name } of this.engine.variants) select.append(new Option(name, name, false, name === variant.name));
    select.addEventListener("change", guarded(async () => {
      this.shown[place] = this.engine.variants[select.selectedIndex]!;
      await this.show();
    }));
    return select;
  }

  private row(item: Item, rank: number, mark: Mark | undefined): HTMLElement {
    const button = element(
      "button", "",
      element("span", "rank", String(rank + 1)),
      element("span", "title", item.title ?? item.key),
      element("span", "score", item.score === null ? "" : item.score.toFixed(2)),
    );
    button.type = "button";
    if (mark === "only") button.append(element("span", "mark", "only here"));
    else if (mark) button.append(element("span", "mark", mark > 0 ? `↑ ${mark} higher here` : `↓ ${-mark} lower here`));
    button.addEventListener("click", () => this.add(item.key));
    return element("li", mark === "only" ? "only" : "", button);
  }

  /** Take the newest items of the first golden history. */
  private async example(): Promise<void> {
    const { bundle } = await this.engine.recommender(this.engine.variants[0]!);
    const goldens = await bundle.later(() => golden.read(bundle));
    const history = goldens.cases[0]?.history.slice(-5) ?? [];
    await this.change(() => this.history.splice(0, this.history.length, ...history));
  }

  private async verify(): Promise<void> {
    const proof = byId("proof");
    proof.replaceChildren();
    for (const variant of this.shown) {
      const check = await this.engine.verify(variant);
      const verdict = check.status === "passed"
        ? `passed ${check.cases} golden cases, digests included; scores within ${check.largestDifference.toExponential(1)}`
        : `failed: ${check.failures.join(" ")}`;
      proof.append(element("li", "", `${variant.name} ${verdict}`));
    }
  }
}

/** Keep everything for the next visit without a network; the page works without, too. */
async function keepOffline(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("sw.js");
  await navigator.serviceWorker.ready;
  if (navigator.serviceWorker.controller) return;
  await new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
    setTimeout(resolve, 2000);
  });
}

async function main(): Promise<void> {
  await keepOffline().catch(() => undefined);
  const engine = await Engine.load("bundle/");
  await new Page(engine).start();
  if (!navigator.serviceWorker?.controller) return;
  await engine.keep();
  byId("offline").textContent = "Kept for use offline.";
}

main().catch(fail);
