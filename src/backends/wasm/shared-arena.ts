/**
 * Blocks that several threads read, and the memory that they have in common. Knows bytes and threads, no arrays.
 *
 * Every thread has an arena of its own over parts of the one memory: no thread waits for another to allocate. A block
 * that travels gets a *record* in the shared memory: who owns it, and one bit for each thread that holds it. The thread
 * that clears the last bit was the last holder; the owner, whose arena the block is in, then frees it. A handle under way is a
 * *ticket*: its sender holds the block until the receiver has taken the handle, which it says by clearing the ticket.
 *
 *     sender:    hold ─ ticket ─ post …            … ticket gone: let go
 *     receiver:                    take: set bit ─ clear ticket ─ … ─ clear bit: last one? the owner frees
 *
 * Each of these steps is one atomic instruction. A thread may be ended between any two of them; who started it then takes
 * its bits, tickets and parts of the memory away (`reap`).
 */
import { ArgumentError, DisposedError, OutOfMemoryError } from "../../base/errors.ts";
import type { WasmAllocation } from "./allocation.ts";
import type { ArenaSharing } from "./arena.ts";
import { PAGE } from "./arena.ts";
import { chunkBytes, chunkLimit, MemoryParts } from "./memory-parts.ts";
import { type RelaxedSimd, relaxedSimd } from "./relaxed-simd.ts";
import { chunkWords, SharedTable, type TableMemory } from "./shared-table.ts";
import type { WasmBackend } from "./wasm-backend.ts";
import { WasmWindow } from "./window.ts";

/** Threads with arenas over one memory, at a time: one bit of a word each. */
const memberLimit = 32;
/** Owns the chunks of tables. */
const tables = memberLimit + 1;
const recordWords = 8;
const ticketWords = 4;
const recordChunks = 64;
const ticketChunks = 16;

/** Words of the directory, in which all that is shared begins. A member's words lie in a cache line of its own. */
const directory = {
  serial: 0,
  records: 16,
  tickets: 16 + recordChunks,
  chunks: 16 + recordChunks + ticketChunks,
  members: 16 + recordChunks + ticketChunks + chunkLimit,
  words: 16 + recordChunks + ticketChunks + chunkLimit + memberLimit * 16,
} as const;

/** Words of a member: who started it, plus one (its own number for the first); and how often something was left for it to do. */
const member = { starter: 0, left: 1 } as const;
/** Words of a record: its owner, plus one; how often it was in use before; the bits of its holders; address / 64; bytes. */
const record = { owner: 0, generation: 1, holders: 2, address: 3, byteLength: 4 } as const;
/** Words of a ticket: its number, its sender, the thread it is for, plus one (0: not known). */
const ticket = { number: 0, sender: 1, receiver: 2 } as const;

/** What a thread needs to have an arena over another's memory: plain data that can be posted to it. */
export interface MemberTicket {
  readonly memory: WebAssembly.Memory;
  readonly maximumPages: number;
  /** Byte address of the directory. */
  readonly directory: number;
  readonly member: number;
  /** What the first thread found out: see `assumeRelaxedSimd`. */
  readonly relaxedSimd: RelaxedSimd;
}

/** A block on its way to another thread: plain data. */
export interface BlockHandle {
  readonly record: number;
  readonly generation: number;
  readonly ticket: number;
  readonly number: number;
}

/** A block that travelled, as this thread knows it. */
interface LocalBlock {
  readonly record: number;
  /** Handles of this thread on it. */
  count: number;
}

/** One thread's part in a shared memory. */
export class SharedArena implements ArenaSharing, TableMemory {
  /** This thread's number: 0 for the one that made the memory. */
  readonly member: number;
  readonly #backend: WasmBackend;
  readonly #directory: number;
  readonly #parts: MemoryParts;
  readonly #records: SharedTable;
  readonly #tickets: SharedTable;
  #words: Int32Array;
  /** Blocks that this thread holds, by address. */
  readonly #held = new Map<number, LocalBlock>();
  /** Blocks that this thread has to free and that only others hold. */
  readonly #awaited = new Map<number, number>();
  /** Handles under way, with what they keep alive. */
  readonly #underway = new Map<number, { readonly number: number; readonly allocation: WasmAllocation }>();
  /** Blocks of threads that have ended, and for each chunk how many of them lie in it. */
  readonly #inherited = new Map<number, number>();
  readonly #inheritedChunks = new Map<number, number>();
  #leftSeen = 0;

  /** Lets the arena of `backend` share its memory, or, with a ticket, takes part in another's. */
  constructor(backend: WasmBackend, joined?: MemberTicket) {
    const { arena } = backend;
    this.#backend = backend;
    this.member = joined?.member ?? 0;
    this.#directory = (joined?.directory ?? arena.reserve(directory.words * 4)) / 4;
    // The arena's own view is never the shorter one, then: WebKit's `buffer` follows growth elsewhere at once.
    this.#words = new Int32Array(arena.bytes().buffer);
    if (!joined) this.#words.fill(0, this.#directory, this.#directory + directory.words);
    const reserved = { memory: arena.memory, maximumPages: arena.maximumByteLength / PAGE };
    const place = (list: number, chunkCount: number, entryWords: number): SharedTable =>
      new SharedTable(this, {
        list: this.#directory + list,
        chunkLimit: chunkCount,
        entryWords,
        start: (this.member * chunkWords) / entryWords / memberLimit,
      });
    this.#parts = new MemoryParts(reserved, this.#directory + directory.chunks, () => this.#words);
    this.#records = place(directory.records, recordChunks, recordWords);
    this.#tickets = place(directory.tickets, ticketChunks, ticketWords);
    if (!joined) this.#begin();
    arena.sharing = this;
  }

  /** Makes this thread the first member, which has all of the memory. */
  #begin(): void {
    const { memory } = this.#backend.arena;
    const beyond = memory.buffer.byteLength % chunkBytes;
    if (beyond > 0) memory.grow((chunkBytes - beyond) / PAGE);
    const chunks = memory.buffer.byteLength / chunkBytes;
    for (let chunk = 0; chunk < chunks; chunk++) this.#parts.assign(chunk, 1);
    this.#words[this.#memberWord(0, member.starter)] = 1;
  }

  /** A ticket for a thread that is to be started. @throws {ArgumentError} if there are too many */
  admit(): MemberTicket {
    for (let number = 1; number < memberLimit; number++) {
      const starter = this.#memberWord(number, member.starter);
      if (Atomics.compareExchange(this.#words, starter, 0, this.member + 1) !== 0) continue;
      const { memory, maximumByteLength } = this.#backend.arena;
      return {
        memory,
        maximumPages: maximumByteLength / PAGE,
        directory: this.#directory * 4,
        member: number,
        relaxedSimd: relaxedSimd(),
      };
    }
    throw new ArgumentError("worker", `at most ${memberLimit} threads can share a memory; end some first`);
  }

  /** A handle on a block for another thread (`receiver`, where it is known); the block stays until the handle is taken. */
  send(given: WasmAllocation, receiver?: number): BlockHandle {
    this.collect(false);
    // A handle names a block, not a place in one.
    const allocation = given instanceof WasmWindow ? this.#copyOf(given) : given;
    const { offset, byteLength } = allocation;
    let known = this.#held.get(offset);
    if (known === undefined) {
      const entry = this.#records.take(this.member + 1);
      if (entry < 0)
        throw new OutOfMemoryError("share", "too many arrays are shared, or there is no room to note them");
      const words = this.reach(entry + recordWords);
      Atomics.store(words, entry + record.address, offset / 64);
      Atomics.store(words, entry + record.byteLength, byteLength);
      Atomics.store(words, entry + record.holders, this.#bit);
      known = { record: entry, count: 1 };
      this.#held.set(offset, known);
    }
    const number = Atomics.add(this.#words, this.#directory + directory.serial, 1) + 1 || 1;
    const entry = this.#tickets.take(number);
    if (entry < 0) throw new OutOfMemoryError("share", "too many handles are under way that nobody takes");
    const words = this.reach(entry + ticketWords);
    Atomics.store(words, entry + ticket.sender, this.member);
    Atomics.store(words, entry + ticket.receiver, receiver === undefined ? 0 : receiver + 1);
    if (allocation === given) allocation.retain();
    this.#underway.set(entry, { number, allocation });
    const generation = Atomics.load(words, known.record + record.generation);
    return { record: known.record, generation, ticket: entry, number };
  }

  #copyOf(window: WasmAllocation): WasmAllocation {
    const own = this.#backend.allocateBlock(window.byteLength);
    own.bytes().set(window.bytes());
    return own;
  }

  /** The block behind a handle, held by this thread from now on. @throws {DisposedError} if its sender has ended or let go of it */
  take(handle: BlockHandle): WasmAllocation {
    const words = this.reach(Math.max(handle.record + recordWords, handle.ticket + ticketWords));
    const gone = "the array was opened before or let go of, or the thread that sent it has ended";
    if (!this.#hold(words, handle)) throw new DisposedError("open", gone);
    const offset = Atomics.load(words, handle.record + record.address) * 64;
    const byteLength = Atomics.load(words, handle.record + record.byteLength) >>> 0;
    const known = this.#held.get(offset);
    if (known) known.count++;
    else this.#held.set(offset, { record: handle.record, count: 1 });
    this.#awaited.delete(offset);
    this.reach(Math.ceil((offset + byteLength) / 4) + 16);
    if (!this.cancel(handle)) {
      this.#backend.arena.free(offset);
      throw new DisposedError("open", gone);
    }
    return this.#backend.blockAt(offset, byteLength);
  }

  /** Ends a handle that was under way; false if it had ended. */
  cancel(handle: BlockHandle): boolean {
    const words = this.reach(handle.ticket + ticketWords);
    const sender = Atomics.load(words, handle.ticket + ticket.sender);
    const isEnded = Atomics.compareExchange(words, handle.ticket + ticket.number, handle.number, 0) === handle.number;
    if (isEnded) this.#leave(sender);
    return isEnded;
  }

  /** Takes everything away from a thread that was admitted here and has ended, and from those that it had started. */
  reap(ended: number): void {
    for (let number = 1; number < memberLimit; number++) {
      const starter = Atomics.load(this.#words, this.#memberWord(number, member.starter));
      if (starter === ended + 1) this.reap(number);
    }
    this.#reapTickets(ended);
    this.#reapRecords(ended);
    for (let chunk = 0; chunk < chunkLimit; chunk++) {
      if (this.#parts.ownerOf(chunk) !== ended + 1) continue;
      const isTable = this.#records.owns(chunk * chunkWords) || this.#tickets.owns(chunk * chunkWords);
      const heir = this.#inheritedChunks.has(chunk) ? this.member + 1 : 0;
      this.#parts.assign(chunk, isTable ? tables : heir);
    }
    for (let number = 0; number < memberLimit; number++) this.#leave(number);
    Atomics.store(this.#words, this.#memberWord(ended, member.starter), 0);
    this.collect(true);
  }

  /** How many blocks are shared, handles under way, and chunks in nobody's hands, over all threads. */
  census(): { readonly shared: number; readonly underway: number; readonly freeChunks: number } {
    this.collect(true);
    const total = this.#backend.arena.memory.buffer.byteLength / chunkBytes;
    let freeChunks = 0;
    for (let chunk = 0; chunk < total; chunk++) if (this.#parts.ownerOf(chunk) === 0) freeChunks++;
    return { shared: [...this.#records.entries()].length, underway: [...this.#tickets.entries()].length, freeChunks };
  }

  claim(end: number, missing: number, whole: number): { readonly begin: number; readonly end: number } | null {
    // A part that ends within a chunk cannot be extended: the chunk is nobody else's either.
    const at = end % chunkBytes === 0 ? end / chunkBytes : 0;
    const [extension, elsewhere] = [missing, whole].map((byteLength) => Math.ceil(byteLength / chunkBytes));
    const taken = this.#parts.claim(this.member + 1, at, extension ?? 1, elsewhere ?? 1);
    if (!taken) return null;
    return { begin: taken.first * chunkBytes, end: (taken.first + taken.count) * chunkBytes };
  }

  keeps(offset: number): boolean {
    const block = this.#held.get(offset);
    if (block === undefined) return false;
    if (--block.count > 0) return true;
    this.#held.delete(offset);
    const words = this.reach(block.record + recordWords);
    const owner = Atomics.load(words, block.record + record.owner) - 1;
    const others = Atomics.and(words, block.record + record.holders, ~this.#bit) & ~this.#bit;
    if (owner !== this.member) {
      // The owner may have ended meanwhile, and another taken its place.
      if (others === 0) this.#leave(Atomics.load(words, block.record + record.owner) - 1);
      return true;
    }
    if (others !== 0) {
      this.#awaited.set(offset, block.record);
      return true;
    }
    return this.#retire(offset, block.record);
  }

  collect(urgent: boolean): void {
    const left = Atomics.load(this.#words, this.#memberWord(this.member, member.left));
    // Looking through everything for every single thing that was left would take quadratic time.
    const isWorthwhile = (left - this.#leftSeen) * 8 > this.#awaited.size + this.#underway.size;
    if (left === this.#leftSeen || !(urgent || isWorthwhile)) return;
    this.#leftSeen = left;
    for (const [entry, { number, allocation }] of this.#underway) {
      if (Atomics.load(this.reach(entry + 1), entry + ticket.number) === number) continue;
      this.#underway.delete(entry);
      allocation.release();
    }
    for (const [offset, entry] of this.#awaited) {
      if (Atomics.load(this.reach(entry + recordWords), entry + record.holders) !== 0) continue;
      this.#awaited.delete(offset);
      if (!this.#retire(offset, entry)) this.#backend.arena.free(offset);
    }
  }

  reach(end: number): Int32Array {
    const { arena } = this.#backend;
    if (end > this.#words.length) {
      arena.memory.grow(0); // the engine then notices growth elsewhere
      arena.refresh();
      this.#words = new Int32Array(arena.bytes().buffer);
    }
    return this.#words;
  }

  addChunk(publish: (begin: number) => boolean): number {
    const taken = this.#parts.claim(this.member + 1, 0, 1, 1);
    if (!taken) return -1;
    const begin = taken.first * chunkWords;
    this.reach(begin + chunkWords).fill(0, begin, begin + chunkWords);
    this.#parts.assign(taken.first, publish(begin) ? tables : 0);
    return begin;
  }

  get #bit(): number {
    return 1 << this.member;
  }

  #memberWord(number: number, word: number): number {
    return this.#directory + directory.members + number * 16 + word;
  }

  /** Tells a thread that there is something for it to collect. */
  #leave(number: number): void {
    Atomics.add(this.#words, this.#memberWord(number, member.left), 1);
  }

  /** Sets this thread's bit of the record, if it still is that of the handle. */
  #hold(words: Int32Array, { record: entry, generation }: BlockHandle): boolean {
    if (Atomics.load(words, entry + record.generation) !== generation) return false;
    for (;;) {
      const holders = Atomics.load(words, entry + record.holders);
      if (holders === 0) return false;
      if (Atomics.compareExchange(words, entry + record.holders, holders, holders | this.#bit) !== holders) continue;
      // What is held stays what it is. It may have become something else just before.
      if (Atomics.load(words, entry + record.generation) === generation) return true;
      const others = Atomics.and(words, entry + record.holders, ~this.#bit) & ~this.#bit;
      if (others === 0) this.#leave(Atomics.load(words, entry + record.owner) - 1);
      return false;
    }
  }

  /** Gives a record back that nobody holds. */
  #giveRecord(entry: number): void {
    Atomics.add(this.reach(entry + recordWords), entry + record.generation, 1);
    this.#records.give(entry);
  }

  /** Gives the record of a block back that nobody holds; whether the block was inherited, and is dealt with here. */
  #retire(offset: number, entry: number): boolean {
    this.#giveRecord(entry);
    const byteLength = this.#inherited.get(offset);
    if (byteLength === undefined) return false;
    this.#inherited.delete(offset);
    for (const chunk of chunksOf(offset, byteLength)) {
      const rest = (this.#inheritedChunks.get(chunk) ?? 1) - 1;
      if (rest > 0) this.#inheritedChunks.set(chunk, rest);
      else {
        this.#inheritedChunks.delete(chunk);
        this.#parts.assign(chunk, 0);
      }
    }
    return true;
  }

  /** Handles from the thread, and to it. */
  #reapTickets(ended: number): void {
    for (const entry of this.#tickets.entries()) {
      const words = this.reach(entry + ticketWords);
      const number = Atomics.load(words, entry + ticket.number);
      const sender = Atomics.load(words, entry + ticket.sender);
      if (sender !== ended && Atomics.load(words, entry + ticket.receiver) !== ended + 1) continue;
      if (Atomics.compareExchange(words, entry + ticket.number, number, 0) === number) this.#leave(sender);
    }
  }

  /** Blocks that the thread held, and its own that others hold: those are inherited. */
  #reapRecords(ended: number): void {
    const bit = 1 << ended;
    for (const entry of this.#records.entries()) {
      const words = this.reach(entry + recordWords);
      const isOwn = Atomics.compareExchange(words, entry + record.owner, ended + 1, this.member + 1) === ended + 1;
      const holders = Atomics.and(words, entry + record.holders, ~bit);
      if (!isOwn) {
        if (holders === bit) this.#leave(Atomics.load(words, entry + record.owner) - 1);
        continue;
      }
      const offset = Atomics.load(words, entry + record.address) * 64;
      const byteLength = Atomics.load(words, entry + record.byteLength) >>> 0;
      if ((holders & ~bit) === 0) {
        this.#giveRecord(entry); // its block goes with the chunks
        continue;
      }
      this.#inherited.set(offset, byteLength);
      for (const chunk of chunksOf(offset, byteLength))
        this.#inheritedChunks.set(chunk, (this.#inheritedChunks.get(chunk) ?? 0) + 1);
      if (!this.#held.has(offset)) this.#awaited.set(offset, entry);
    }
  }
}

function* chunksOf(offset: number, byteLength: number): Generator<number, void, void> {
  for (let chunk = Math.floor(offset / chunkBytes); chunk * chunkBytes < offset + byteLength; chunk++) yield chunk;
}
