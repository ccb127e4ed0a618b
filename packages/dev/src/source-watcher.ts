import { type FSWatcher, watch } from "node:fs";

// Editors save in several steps, and tools write several files at once.
const QUIET_MS = 20;

export interface SourceWatcherOptions {
  /** Called once when something changed and 20 ms went by in quiet. */
  readonly onChange: () => void;
  /** Called when a folder can't be watched, as when the system has no watches left. */
  readonly onError: (error: Error) => void;
}

/** Watches folders, each by itself: editors replace files, and the recursive watch of Node 20 on Linux loses events. */
export class SourceWatcher {
  readonly #options: SourceWatcherOptions;
  readonly #watches = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SourceWatcherOptions) {
    this.#options = options;
  }

  /** Watches exactly these folders from now on. */
  watch(folders: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.#watches) {
      if (!folders.has(folder)) this.#forget(folder, watcher);
    }
    for (const folder of folders) {
      if (!this.#watches.has(folder)) this.#add(folder);
    }
  }

  close(): void {
    this.watch(new Set());
    clearTimeout(this.#timer);
  }

  #add(folder: string): void {
    try {
      const watcher = watch(folder, () => this.#changed());
      watcher.on("error", () => this.#forget(folder, watcher));
      this.#watches.set(folder, watcher);
    } catch (thrown) {
      this.#options.onError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }

  #forget(folder: string, watcher: FSWatcher): void {
    watcher.close();
    this.#watches.delete(folder);
  }

  #changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#options.onChange, QUIET_MS);
  }
}
