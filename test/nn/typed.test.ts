/** What the types promise: gradients follow the model, wrong keys do not compile, transforms keep arguments and results. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, expectTypeOf, it } from "vitest";

class Net extends nn.Module {
  layers = [new nn.Linear(2, 3), new nn.Linear(3, 1)];
  heads = { left: new nn.Linear(1, 1), right: new nn.Linear(1, 1, { bias: false }) };
  scale = mx.array(1);
  readonly width = 3;

  forward(x: mx.MLXArray, shift = 0): mx.MLXArray {
    return this.layers
      .reduce((y, layer) => layer(y), x)
      .mul(this.scale)
      .add(shift);
  }
}

describe("types", () => {
  it("follow the model: gradients by field, list and object", () => {
    const net = new Net();
    const [loss, grads] = nn.valueAndGrad(net, (m: Net, x: mx.MLXArray) => m(x).sum())(net, mx.ones([4, 2]));
    expectTypeOf(loss).toEqualTypeOf<mx.MLXArray>();
    expectTypeOf(grads.scale).toEqualTypeOf<mx.MLXArray>();
    expect(grads.layers[0]?.weight.shape).toEqual([3, 2]);
    expect(grads.heads.left.weight.shape).toEqual([1, 1]);
    // @ts-expect-error no parameter has this name
    expect(grads.layer).toBeUndefined();
    // @ts-expect-error a number is no parameter
    expect(grads.width).toBeUndefined();
    // @ts-expect-error Linear has no such parameter
    expect(grads.layers[0]?.wieght).toBeUndefined();
    // @ts-expect-error methods are no parameters
    expect(grads.forward).toBeUndefined();
  });

  it("know the arrays in a model's tree: flattened, mapped, reduced, and put back", async () => {
    class Residual extends nn.Module {
      readonly inner = new nn.Sequential(new nn.Linear(2, 2), nn.relu);
      readonly shortcut: nn.Linear | undefined;
      readonly blocks: readonly Residual[] = [];
      forward(x: mx.MLXArray): mx.MLXArray {
        return this.inner(x).add(this.shortcut?.(x) ?? x);
      }
    }
    const model = new Residual();
    const leaves = mx.treeFlatten(model.trainableParameters());
    expectTypeOf(leaves).toEqualTypeOf<[string, mx.MLXArray][]>();
    expect(leaves.map(([path]) => path)).toEqual(["inner.layers.0.weight", "inner.layers.0.bias"]);
    const file = await mx.saveSafetensors(Object.fromEntries(leaves));
    await model.loadWeights((await mx.loadSafetensors(file)).arrays);
    await model.loadWeights(leaves);
    const doubled = mx.treeMap((leaf, other) => leaf.add(other), model.parameters(), model.parameters());
    expectTypeOf(doubled.inner.layers[0].weight).toEqualTypeOf<mx.MLXArray>();
    model.update(doubled).update(mx.treeUnflatten(leaves.map(([path, leaf]) => [path, leaf.mul(0.5)])));
    expect(await mx.arrayEqual(model.inner.layers[0].weight.mul(2), leaves[0]?.[1] ?? 0).item()).toBe(true);
    const sizes = mx.treeMap((leaf) => leaf.size, new Net().parameters());
    expectTypeOf(sizes.heads.left.weight).toEqualTypeOf<number>();
    expect(sizes.heads.left.weight).toBe(1);
    expect(mx.treeReduce((count, leaf) => count + leaf.size, model.parameters(), 0)).toBe(6);
    const linears = model
      .namedModules()
      .flatMap(([path, one]) => (one instanceof nn.Linear ? [[path, one] as const] : []));
    model.updateModules(mx.treeUnflatten(linears.map(([path]) => [path, new nn.Linear(2, 2, { bias: false })])));
    expect(mx.treeFlatten(model.parameters()).map(([path]) => path)).toEqual(["inner.layers.0.weight"]);
    expectTypeOf(mx.treeFlatten({ a: 1 })).toEqualTypeOf<[string, unknown][]>();
    expect(mx.treeFlatten({ a: undefined, b: mx.array(1) }).map(([path]) => path)).toEqual(["b"]);
  });

  it("know the arrays of an interface, which has no index signature, and optional ones", async () => {
    interface Parameters {
      readonly w: mx.MLXArray;
      readonly b?: mx.MLXArray;
      readonly layers: readonly { readonly k: mx.MLXArray }[];
    }
    const parameters: Parameters = { w: mx.array([1, 2]), layers: [{ k: mx.array(3) }] };
    const doubled: Parameters = mx.treeMap((leaf) => leaf.mul(2), parameters);
    expect(await doubled.layers[0]?.k.item()).toBe(6);
    const paths = mx.treeMapWithPath((path, leaf) => `${path} ${leaf.size}`, parameters);
    expectTypeOf(paths.w).toEqualTypeOf<string>();
    expectTypeOf(paths.b).toEqualTypeOf<string | undefined>();
    expectTypeOf(mx.treeFlatten(parameters)).toEqualTypeOf<[string, mx.MLXArray][]>();
    expect(mx.treeReduce((count, leaf) => count + leaf.size, parameters, 0)).toBe(3);
    expectTypeOf(mx.treeFlatten({ ...parameters, epoch: 3 })).toEqualTypeOf<[string, unknown][]>();
    const optimizer = new optim.SGD({ learningRate: 1 });
    const [, gradients] = mx.valueAndGrad((p: Parameters) => p.w.sum().add(p.layers[0]?.k ?? 0))(parameters);
    const next: Parameters = optimizer.applyGradients(gradients, parameters);
    expect(await next.w.tolist()).toEqual([0, 1]);
  });

  it("refuse to differentiate what reads a value, or returns no array", () => {
    // @ts-expect-error a Promise of a number is no array
    expect(() => mx.grad((x: mx.MLXArray) => x.sum().item())(mx.ones([2]))).toThrow("Promise");
    // @ts-expect-error neither is a number
    expect(() => nn.valueAndGrad(new Net(), () => 3)(new Net())).toThrow("returned a number");
    const several = mx.grad((x: mx.MLXArray): readonly mx.MLXArray[] => [x.sum(), x])(mx.ones([2]));
    expect(several.shape).toEqual([2]);
  });

  it("know the gradients of named arguments, and which names there are", () => {
    const f = (x: mx.MLXArray, { scale }: { readonly scale: mx.MLXArray; readonly steps: number }): mx.MLXArray =>
      x.mul(scale).sum();
    const named = { scale: mx.array(2), steps: 3 };
    const [[byPosition, byName], [none]] = [
      mx.grad(f, { argnums: 0, argnames: ["scale"] })(mx.array([1, 2]), named),
      mx.valueAndGrad(f, { argnames: "scale" })(mx.array([1, 2]), named)[1],
    ];
    expectTypeOf(byPosition).toEqualTypeOf<mx.MLXArray>();
    expectTypeOf(byName).toEqualTypeOf<{ readonly scale: mx.MLXArray }>();
    expectTypeOf(none).toEqualTypeOf<null>();
    expect([byPosition.shape, byName.scale.shape, none]).toEqual([[2], [], null]);
    // @ts-expect-error the last argument has no such name
    expect(() => mx.grad(f, { argnames: "scales" })(mx.array([1, 2]), named)).toThrow("scales");
  });

  it("keep a loss and what is computed beside it apart", () => {
    const [[loss, { norm }], grads] = nn.valueAndGrad(new Net(), (m: Net, x: mx.MLXArray) => [
      m(x).sum(),
      { norm: m.scale },
    ])(new Net(), mx.ones([4, 2]));
    expect([loss.shape, norm.shape, grads.scale.shape]).toEqual([[], [], []]);
    const [[value, other], slope] = mx.valueAndGrad((x: mx.MLXArray) => [x.square(), "text"])(mx.array(2));
    expect([value.shape, slope.shape, other]).toEqual([[], [], "text"]);
  });

  it("know how many arrays there are in a list", () => {
    const x = mx.arange(12).asType("float32");
    const [first, second] = mx.random.split(mx.random.key(0));
    expectTypeOf([first, second, ...mx.random.split(first, 3)]).toEqualTypeOf<mx.MLXArray[]>();
    const keys = mx.random.split(second, x.size);
    expectTypeOf(keys).toEqualTypeOf<mx.MLXArray[]>();
    const [left, right] = x.split(2);
    const [, middle, last] = mx.split(x, [3, 5]);
    expect([left.size, right.size, middle.size, last.size]).toEqual([6, 6, 2, 7]);
    const [rows, columns] = mx.meshgrid(left, x, { indexing: "ij" });
    expect([rows.shape, columns.shape]).toEqual([
      [6, 12],
      [6, 12],
    ]);
    const [wide] = mx.broadcastArrays(mx.array(1), x);
    expect(wide.shape).toEqual([12]);
    const [[sum, product], [ofA, ofB]] = mx.vjp((a, b) => [a.add(b), a.mul(b)] as const, [left, right], [left, right]);
    expect([sum.size, product.size, ofA.size, ofB.size]).toEqual([6, 6, 6, 6]);
    const [[value], [tangent]] = mx.jvp((a) => a.square(), [x], [x]);
    expect([value.size, tangent.size]).toEqual([12, 12]);
  });

  it("take a Sequential of certain layers for a Sequential, as a parameter, a field and a layer", () => {
    const model = new nn.Sequential(new nn.Linear(2, 3), nn.relu);
    const lossOf = (m: nn.Sequential, x: mx.MLXArray): mx.MLXArray => m(x).sum();
    const [, grads] = nn.valueAndGrad(model, lossOf)(model, mx.ones([4, 2]));
    expect(grads.layers[0].weight.shape).toEqual([3, 2]);
    const any: nn.Sequential = model;
    expect(new nn.Sequential(any, model).layers).toHaveLength(2);
    // @ts-expect-error the second layer is no Linear
    const linears: nn.Sequential<nn.Linear[]> = model;
    expect(linears).toBe(model);
  });

  it("follow forward: arguments and result of a call", () => {
    const net = new Net();
    expectTypeOf(net).parameters.toEqualTypeOf<[x: mx.MLXArray, shift?: number]>();
    expectTypeOf(net).returns.toEqualTypeOf<mx.MLXArray>();
    const wrong = (): unknown => {
      // @ts-expect-error an array is needed
      net([1, 2]);
      // @ts-expect-error the shift is a number
      net(mx.ones([1, 2]), "1");
      // @ts-expect-error a place is no array
      return net(mx.ones([2, 2]).at(0));
    };
    expect(wrong).toThrow(mx.MLXError);
  });

  it("follow the function through compile, grad and vmap", () => {
    const f = (x: mx.MLXArray, options: { power: number }): { y: mx.MLXArray } => ({ y: mx.power(x, options.power) });
    expectTypeOf(mx.compile(f)).toEqualTypeOf<(x: mx.MLXArray, options: { power: number }) => { y: mx.MLXArray }>();
    const g = (tree: { a: mx.MLXArray; b: [mx.MLXArray, mx.MLXArray] }, c: mx.MLXArray): mx.MLXArray =>
      tree.a.mul(tree.b[0]).add(tree.b[1]).mul(c).sum();
    expectTypeOf(mx.grad(g)).returns.toEqualTypeOf<{ a: mx.MLXArray; b: [mx.MLXArray, mx.MLXArray] }>();
    expectTypeOf(mx.grad(g, 1)).returns.toEqualTypeOf<mx.MLXArray>();
    expectTypeOf(mx.valueAndGrad(g, [0, 1])).returns.toExtend<
      [mx.MLXArray, readonly [{ a: mx.MLXArray }, mx.MLXArray]]
    >();
    expectTypeOf(mx.vmap(g)).returns.toEqualTypeOf<mx.MLXArray>();
    const wrong = (): unknown => {
      const compiled = mx.compile(f);
      // @ts-expect-error the option is missing
      return compiled(mx.array(1), {}).z;
    };
    expect(wrong).toThrow();
  });

  it("refuse options that do not exist", () => {
    const x = mx.ones([2, 2]);
    // @ts-expect-error keepAxes, not keepdims
    expect(() => mx.sum(x, 0, { keepdims: true })).toThrow(mx.ArgumentError);
    // @ts-expect-error an axis is no option
    expect(() => mx.mean(x, { axis: 0 })).toThrow(mx.ArgumentError);
    // @ts-expect-error learningRate, not lr
    expect(() => new optim.Adam({ lr: 0.1 })).toThrow(mx.ArgumentError);
    // @ts-expect-error no dtype
    expect(() => x.asType("float")).toThrow(mx.DtypeError);
    // @ts-expect-error JavaScript has no operators for arrays
    expect(() => x * 2).toThrow(mx.ArgumentError);
  });

  it("refuse an optimizer's update with another model's gradients only by shape, at run time", () => {
    const optimizer = new optim.SGD({ learningRate: 1 });
    expect(() => optimizer.update(new nn.Linear(2, 3), { weight: mx.ones([2, 3]) })).toThrow(mx.ShapeError);
  });
});
