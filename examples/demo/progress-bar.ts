const WIDTH = 40;

/** Draws progress on one line of a terminal. Without a terminal it prints a line for each ten percent. */
export class ProgressBar {
  readonly #isTerminal = process.stdout.isTTY === true;
  #printedTenths = -1;
  #drawn = false;

  draw(current: number, total: number): void {
    const fraction = total === 0 ? 1 : current / total;
    if (this.#isTerminal) {
      const full = Math.round(fraction * WIDTH);
      const bar = '█'.repeat(full) + '░'.repeat(WIDTH - full);
      process.stdout.write(`\r  ${bar} ${current} of ${total} rows `);
      this.#drawn = true;
      return;
    }
    const tenths = Math.floor(fraction * 10);
    if (tenths <= this.#printedTenths) return;
    this.#printedTenths = tenths;
    console.log(`  ${String(tenths * 10).padStart(3)} %  ${current} of ${total} rows`);
  }

  /** Prints a line below the bar. */
  say(text: string): void {
    if (this.#drawn) process.stdout.write('\n');
    this.#drawn = false;
    console.log(text);
  }
}
