/**
 * Lets the page work without a network: all its files are kept when it is first opened, and served from there. Plain
 * JavaScript: the build puts the list of files in the place of `self.pageFiles`, and in that of `self.pageVersion` a name that
 * changes with them.
 */
const files = self.pageFiles;
const cacheName = self.pageVersion;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(files)));
});

self.addEventListener("activate", (event) => {
  const removeOthers = async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name.startsWith("health-monitor ") && name !== cacheName);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(removeOthers());
});

// A new version waits until the user wants it: files of two versions never mix.
self.addEventListener("message", ({ data }) => {
  if (data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  const answer = async () => {
    // The same file is kept for every way of asking for it: servers say that answers vary with the asker's origin.
    const cache = await caches.open(cacheName);
    return (await cache.match(request, { ignoreSearch: true, ignoreVary: true })) ?? fetch(request);
  };
  event.respondWith(answer());
});
