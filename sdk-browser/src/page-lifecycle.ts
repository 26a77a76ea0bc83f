import type { Lifecycle, LifecycleEvent } from "@fanfare/sdk-core/port";

/**
 * The life of a page. A page that is frozen, or put into the back-forward cache, lets its connection go, because open sockets keep a page
 * out of that cache, and a frozen one answers no ping; the session is kept, and taken up when the page runs again. A page that merely
 * comes back to the foreground may have slept, and proves its connection.
 */
export const pageLifecycle: Lifecycle = {
  watch(callback: (event: LifecycleEvent) => void): () => void {
    const controller = new AbortController();
    const { signal } = controller;
    const on = (target: EventTarget, type: string, event: LifecycleEvent, when: (event: Event) => boolean = always) =>
      target.addEventListener(type, (happened) => when(happened) && callback(event), { signal });
    on(window, "online", "online");
    on(window, "offline", "offline");
    on(window, "pagehide", "suspend", isPersisted);
    on(window, "pageshow", "wake", isPersisted);
    on(document, "freeze", "suspend");
    on(document, "resume", "wake");
    on(document, "visibilitychange", "check", () => document.visibilityState === "visible");
    return () => controller.abort();
  },
};

const always = () => true;

function isPersisted(event: Event): boolean {
  return (event as PageTransitionEvent).persisted;
}
