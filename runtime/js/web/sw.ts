/**
 * Keeps what the page has loaded, so that it opens and works without a network.
 *
 * The page itself comes from the network while there is one. The files of a bundle stay until its manifest changes;
 * then all of them go, for they belong together.
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

const PAGE = "page";
const BUNDLE = "bundle";
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
  const answer = path.startsWith("bundle/") && path !== "bundle/manifest.json" ? stored(request) : fresh(request, path);
  (event as FetchEvent).respondWith(answer);
});

/** From the store, else from the network into the store. */
async function stored(request: Request): Promise<Response> {
  const cache = await caches.open(BUNDLE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}

/** From the network into the store, else from the store. */
async function fresh(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(path.startsWith("bundle/") ? BUNDLE : PAGE);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
  if (response.ok) {
    if (path === "bundle/manifest.json") await dropOld(await response.clone().text(), request);
    await (await caches.open(path.startsWith("bundle/") ? BUNDLE : PAGE)).put(request, response.clone());
  }
  return response;
}

async function dropOld(manifest: string, request: Request): Promise<void> {
  const kept = await (await caches.open(BUNDLE)).match(request);
  if (kept && (await kept.text()) !== manifest) await caches.delete(BUNDLE);
}

export {};
