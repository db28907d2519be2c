/**
 * Keeps what the page has loaded, so that it opens and works without a network.
 *
 * Page and manifest come from the network while there is one. The files of a bundle are kept in a store named by the
 * digest of its manifest, and only where their own digest is the manifest's: a store never mixes two bundles, and a
 * bundle that is replaced while it is fetched leaves nothing wrong behind. When the manifest changes, the stores of
 * others go.
 */
declare const self: ServiceWorkerGlobalScope;

interface ServiceWorkerGlobalScope extends EventTarget {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
}

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

interface LifeEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

/** The page, and the newest manifest: it says which store holds the bundle. */
const PAGE = "page";
const BUNDLE = "bundle-";
const MANIFEST = "bundle/manifest.json";
const SHELL = ["./", "style.css", "app.js", "icon.svg"];

self.addEventListener("install", (event) => {
  const kept = caches.open(PAGE).then((cache) => cache.addAll(SHELL));
  (event as LifeEvent).waitUntil(kept.then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  (event as LifeEvent).waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event as FetchEvent;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  const path = request.url.slice(self.registration.scope.length);
  const answer = path.startsWith("bundle/") && path !== MANIFEST ? stored(request, path) : fresh(request, path);
  (event as FetchEvent).respondWith(answer);
});

/** A file of the bundle: from its store, else from the network into the store. */
async function stored({ url, cache }: Request, path: string): Promise<Response> {
  const manifest = await keptManifest();
  const store = manifest && (await caches.open(await storeOf(manifest)));
  const kept = cache === "reload" ? undefined : await store?.match(url);
  if (kept) return kept;
  const response = await fetch(url, { cache: cache === "reload" ? "reload" : "no-cache" });
  if (!response.ok || !store) return response;
  const body = await response.clone().arrayBuffer();
  // The page compares, too: what differs goes there, to be named, but not into the store.
  if ((await digest(body)) === digestIn(manifest, path.slice("bundle/".length))) await store.put(url, response.clone());
  return response;
}

/** From the network into the store, else from the store. */
async function fresh(request: Request, path: string): Promise<Response> {
  const page = await caches.open(PAGE);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    const kept = await page.match(request);
    if (kept) return kept;
    throw error;
  }
  if (response.ok) {
    if (path === MANIFEST) await dropOthers(await response.clone().arrayBuffer());
    await page.put(request, response.clone());
  }
  return response;
}

async function keptManifest(): Promise<ArrayBuffer | undefined> {
  const kept = await (await caches.open(PAGE)).match(new URL(MANIFEST, self.registration.scope));
  return kept?.arrayBuffer();
}

async function storeOf(manifest: ArrayBuffer): Promise<string> {
  return BUNDLE + (await digest(manifest));
}

/** Drop every store but the one of this manifest; "bundle" is the one store of earlier versions of this page. */
async function dropOthers(manifest: ArrayBuffer): Promise<void> {
  const own = await storeOf(manifest);
  const others = (await caches.keys()).filter((name) => name !== own && (name === "bundle" || name.startsWith(BUNDLE)));
  await Promise.all(others.map((name) => caches.delete(name)));
}

/** Return the digest that a manifest gives a file; undefined where it names none, or is damaged. */
function digestIn(manifest: ArrayBuffer, path: string): string | undefined {
  interface File { readonly path: string; readonly sha256: string }
  try {
    const { variants, vocabulary, golden, documents } = JSON.parse(new TextDecoder().decode(manifest)) as {
      variants: { files: File[] }[]; vocabulary: { items: File; titles: File | null }; golden: File; documents: File[];
    };
    const files = [...variants.flatMap((variant) => variant.files), vocabulary.items, vocabulary.titles, golden, ...documents];
    return files.find((file) => file?.path === decodeURIComponent(path))?.sha256;
  } catch {
    return undefined; // the page says what is wrong with it
  }
}

async function digest(data: ArrayBuffer): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export {};
