/** Every operation takes `{ device }`, and places all that it is made of there. */
import * as mx from "mlx-ts";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { callDeferred } from "../../src/array/later-methods.ts";
import { methodShapes } from "../../src/array/method-shapes.ts";
import { recordCreations } from "../../src/graph/mlx-array.ts";
import type { OperationCall } from "./operation-calls.ts";
import { aliases, cpuOnly, functionCalls, methodCalls, otherMembers, withoutDevice } from "./operation-calls.ts";

const devices: readonly mx.Device[] = ["cpu", "gpu"];

beforeEach(() => mx.setDefaultDevice("cpu"));
afterAll(() => mx.setDefaultDevice("cpu"));

/** The devices of all vertices that a call makes. */
function placesOf(call: () => unknown): readonly mx.Device[] {
  const { created } = recordCreations(call);
  return [...new Set(created.map(({ device }) => device))];
}

function checkPlaces(call: OperationCall): void {
  for (const device of devices) {
    for (const other of devices) {
      mx.setDefaultDevice(other);
      expect(placesOf(() => call({ device }))).toEqual([device]);
      expect(placesOf(() => call({}))).toEqual([other]);
      expect(mx.defaultDevice()).toBe(other);
    }
  }
}

/** The same of what the CPU alone computes. */
function checkCpuOnly(call: OperationCall): void {
  mx.setDefaultDevice("gpu");
  expect(placesOf(() => call({ device: "cpu" }))).toEqual(["cpu"]);
  for (const options of [{}, { device: "gpu" }] as const) {
    expect(() => call(options)).toThrow(mx.DeviceError);
    expect(() => call(options)).toThrow('pass { device: "cpu" }');
  }
}

function checkRefusal(name: string, call: OperationCall): void {
  // @ts-expect-error: there is no such device
  const wrong: mx.OperationOptions = { device: "tpu" };
  const known = name.replace(/^.*\./, "");
  expect(() => call(wrong)).toThrow(mx.ArgumentError);
  expect(() => call(wrong)).toThrow(`${aliases[known] ?? known}: a device is "cpu" or "gpu", got "tpu"`);
}

describe("an operation with a device", () => {
  const functions = Object.entries(functionCalls);
  const methods = Object.entries(methodCalls);

  it.each(functions)("%s is placed there as a whole, or refused", (name, call) =>
    cpuOnly.has(name) ? checkCpuOnly(call) : checkPlaces(call),
  );
  it.each(functions)("%s refuses another name", (name, call) => checkRefusal(name, call));
  it.each(methods)("the method %s is placed there as a whole", (_, call) => checkPlaces(call));
  it.each(methods)("the method %s refuses another name", (name, call) => checkRefusal(name, call));

  it("is placed there also where it is loaded later", () => {
    const x = mx.array([1, 2], "float64");
    mx.setDefaultDevice("gpu");
    const later = (options: mx.OperationOptions): unknown =>
      callDeferred("maximum", methodShapes.maximum, [x, 1, options]);
    expect(placesOf(() => later({ device: "cpu" }))).toEqual(["cpu"]);
    expect(() => later({})).toThrow(mx.DtypeError);
    checkRefusal("maximum", later);
    const other = mx.array([2, 3]);
    mx.setDefaultDevice("cpu");
    // An operand is no options, though it has a device.
    mx.withDevice("gpu", () =>
      expect(placesOf(() => callDeferred("maximum", methodShapes.maximum, [other, other]))).toEqual(["gpu"]),
    );
  });

  it("passes it on to its gradient", () => {
    const slope = mx.grad((x: mx.MLXArray) => x.square({ device: "gpu" }).sum({ device: "gpu" }));
    expect(slope(mx.array([1, 2])).device).toBe("gpu");
  });
});

describe("every export", () => {
  const exported = [
    ...Object.entries(mx),
    ...Object.entries(mx.random).map(([name, value]): [string, unknown] => [`random.${name}`, value]),
    ...Object.entries(mx.fast).map(([name, value]): [string, unknown] => [`fast.${name}`, value]),
    ...Object.entries(mx.linalg).map(([name, value]): [string, unknown] => [`linalg.${name}`, value]),
  ]
    .filter(([, value]) => typeof value === "function" && !String(value).startsWith("class"))
    .map(([name]) => name);

  it("takes a device, or is listed with the reason why not", () => {
    expect([...Object.keys(functionCalls), ...Object.keys(withoutDevice)].sort()).toEqual(exported.sort());
  });

  it("that is a method takes a device, too, if it is an operation", () => {
    const members = Object.getOwnPropertyNames(mx.MLXArray.prototype).filter((name) => !otherMembers.has(name));
    expect(Object.keys(methodCalls).sort()).toEqual(members.sort());
  });
});
