/** The WGSL of a few kernels, so that a change in code generation is seen in review. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { expect, it } from "vitest";
import { emitLoops } from "../../src/backends/webgpu/loop-kernel.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { kernelOf } from "../setup/planned-kernels.ts";

/** The shaders that compute `root` from evaluated arrays, with the workgroups that run them. */
function shadersOf(root: mx.MLXArray): string {
  return emitLoops(kernelOf("loop", root), floorTarget)
    .dispatches.map(({ wgsl, workgroups }) => `// ${workgroups.join(" × ")} workgroups\n${wgsl}`)
    .join("\n");
}

it("softmax: a team of threads for each row, which stays in registers", async () => {
  const x = mx.ones([64, 200]).add(0.5);
  await mx.evaluate(x);
  expect(shadersOf(mx.softmax(x, -1))).toMatchInlineSnapshot(`
    "// 4 × 1 × 1 workgroups
    var<workgroup> team1_0: array<u32, 256>;
    @group(0) @binding(0) var<storage, read_write> slot0: array<vec4f>;
    fn store0x4(p: i32, x: vec4f) {
      slot0[p >> 2u] = x;
    }
    @group(0) @binding(1) var<storage, read> slot1: array<vec4f>;
    fn load1x4(p: i32) -> vec4f {
      return slot1[p >> 2u];
    }
    fn max_of4(a: vec4f, b: vec4f) -> vec4f {
      return select(max(a, b), a + b, is_nan4(a) | is_nan4(b));
    }
    fn is_nan4(x: vec4f) -> vec4<bool> {
      return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
    }
    fn max_of(a: f32, b: f32) -> f32 {
      return select(max(a, b), a + b, is_nan(a) | is_nan(b));
    }
    fn is_nan(x: f32) -> bool {
      return (bitcast<u32>(x) & u32(0x7fffffffu)) > u32(0x7f800000u);
    }
    fn exp_of4(x: vec4f) -> vec4f {
      let c = clamp(x, vec4f(-104f), vec4f(89f));
      let n = round(c * 1.442695f);
      let mantissa = exp_rest4(exp_reduced4(c, n)) + 1f;
      let k = vec4i(n);
      let h = k >> vec4u(1u);
      return select(mantissa * power_of_two4(h) * power_of_two4(k - h), x, is_nan4(x));
    }
    fn exp_rest4(r: vec4f) -> vec4f {
      return (((((0.0013838003f * r + 0.0083691655f) * r + 0.041668102f) * r + 0.16666517f) * r + 0.49999994f) * r) * r + r;
    }
    fn exp_reduced4(x: vec4f, n: vec4f) -> vec4f {
      return (x - n * 0.69311523f) - n * 3.1946183e-5f;
    }
    fn power_of_two4(k: vec4i) -> vec4f {
      return bitcast<vec4f>((k + vec4i(127)) << vec4u(23u));
    }
    fn divide4(a: vec4f, b: vec4f) -> vec4f {
      let size = abs(b);
      let scale = select(select(vec4f(1f), vec4f(0x1p+100f), size < vec4f(0x1p-100f)), vec4f(0x1p-100f), size > vec4f(0x1p+100f));
      let n = a * scale;
      let d = b * scale;
      let inverse = 1f / d;
      let q = n * inverse;
      let qh = upper4(q);
      let ql = q - qh;
      let dh = upper4(d);
      let dl = d - dh;
      let rest = ((settled4(n - qh * dh) - qh * dl) - ql * dh) - ql * dl;
      // upper, or q + rest · inverse becomes (n + rest) · inverse
      let corrected = q + rest * upper4(inverse);
      let is_exact = min(abs(n), abs(q)) > vec4f(0x1p-70f);
      return select(q, corrected, is_finite4(corrected) & (rest != vec4f(0f)) & is_exact);
    }
    fn upper4(x: vec4f) -> vec4f {
      return bitcast<vec4f>(bitcast<vec4u>(x) & vec4u(0xfffff000u));
    }
    fn settled4(x: vec4f) -> vec4f {
      return bitcast<vec4f>(bitcast<vec4u>(x) & vec4u(0xffffffc0u));
    }
    fn is_finite4(x: vec4f) -> vec4<bool> {
      return (bitcast<vec4u>(x) & vec4u(0x7f800000u)) != vec4u(0x7f800000u);
    }
    fn float_of(bits: u32) -> f32 {
      return bitcast<f32>(bits);
    }
    @compute @workgroup_size(256) fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
      let group0 = i32(workgroup.x);
      let member1 = i32(thread % 16u);
      let local2 = i32(thread / 16u);
      let point3 = group0 * 16 + local2;
      let v4 = load1x4(point3 * 200 + member1 * 4);
      let v5 = load1x4(point3 * 200 + member1 * 4 + 64);
      let s6 = max_of4(v4, v5);
      let v7 = load1x4(point3 * 200 + member1 * 4 + 128);
      let s8 = max_of4(s6, v7);
      let p9 = member1 + 48;
      let b10 = p9 < 50;
      let v11 = load1x4(point3 * 200 + member1 * 4 + 192);
      let s12 = select(vec4f(float_of(0xff800000u)), v11, vec4<bool>(b10));
      let s13 = max_of4(s8, s12);
      let s14 = s13;
      let s15 = max_of(s14.x, s14.y);
      let s16 = max_of(s14.z, s14.w);
      let s17 = max_of(s15, s16);
      workgroupBarrier();
      team1_0[thread] = bitcast<u32>(s17);
      workgroupBarrier();
      if (member1 < 4) {
        let s18 = bitcast<f32>(team1_0[thread]);
        let s19 = bitcast<f32>(team1_0[thread + 4u]);
        let s20 = max_of(s18, s19);
        let s21 = bitcast<f32>(team1_0[thread + 8u]);
        let s22 = max_of(s20, s21);
        let s23 = bitcast<f32>(team1_0[thread + 12u]);
        let s24 = max_of(s22, s23);
        team1_0[thread] = bitcast<u32>(s24);
      }
      workgroupBarrier();
      if (member1 < 1) {
        let s25 = bitcast<f32>(team1_0[thread]);
        let s26 = bitcast<f32>(team1_0[thread + 1u]);
        let s27 = max_of(s25, s26);
        let s28 = bitcast<f32>(team1_0[thread + 2u]);
        let s29 = max_of(s27, s28);
        let s30 = bitcast<f32>(team1_0[thread + 3u]);
        let s31 = max_of(s29, s30);
        team1_0[thread] = bitcast<u32>(s31);
      }
      workgroupBarrier();
      let f33 = thread - u32(member1);
      let s34 = bitcast<f32>(team1_0[f33]);
      let r35 = s34;
      let v36 = v4 - vec4f(r35);
      let v37 = exp_of4(v36);
      let v38 = v5 - vec4f(r35);
      let v39 = exp_of4(v38);
      let s40 = v37 + v39;
      let v41 = v7 - vec4f(r35);
      let v42 = exp_of4(v41);
      let s43 = s40 + v42;
      let b44 = p9 < 50;
      let v45 = v11 - vec4f(r35);
      let v46 = exp_of4(v45);
      let s47 = select(vec4f(0f), v46, vec4<bool>(b44));
      let s48 = s43 + s47;
      let s49 = s48;
      let s50 = s49.x + s49.y;
      let s51 = s49.z + s49.w;
      let s52 = s50 + s51;
      workgroupBarrier();
      team1_0[thread] = bitcast<u32>(s52);
      workgroupBarrier();
      if (member1 < 4) {
        let s53 = bitcast<f32>(team1_0[thread]);
        let s54 = bitcast<f32>(team1_0[thread + 4u]);
        let s55 = s53 + s54;
        let s56 = bitcast<f32>(team1_0[thread + 8u]);
        let s57 = s55 + s56;
        let s58 = bitcast<f32>(team1_0[thread + 12u]);
        let s59 = s57 + s58;
        team1_0[thread] = bitcast<u32>(s59);
      }
      workgroupBarrier();
      if (member1 < 1) {
        let s60 = bitcast<f32>(team1_0[thread]);
        let s61 = bitcast<f32>(team1_0[thread + 1u]);
        let s62 = s60 + s61;
        let s63 = bitcast<f32>(team1_0[thread + 2u]);
        let s64 = s62 + s63;
        let s65 = bitcast<f32>(team1_0[thread + 3u]);
        let s66 = s64 + s65;
        team1_0[thread] = bitcast<u32>(s66);
      }
      workgroupBarrier();
      let f67 = thread - u32(member1);
      let s68 = bitcast<f32>(team1_0[f67]);
      let r69 = s68;
      let v70 = divide4(v37, vec4f(r69));
      let v71 = divide4(v39, vec4f(r69));
      let v72 = divide4(v42, vec4f(r69));
      let b73 = p9 < 50;
      let v74 = divide4(v46, vec4f(r69));
      store0x4(point3 * 200 + member1 * 4, v70);
      store0x4(point3 * 200 + member1 * 4 + 64, v71);
      store0x4(point3 * 200 + member1 * 4 + 128, v72);
      if (b73) {
        store0x4(point3 * 200 + member1 * 4 + 192, v74);
      }
    }
    "
  `);
});

it("gelu(x + b): vectors of four", async () => {
  const [x, b] = [mx.ones([64, 256]).add(0.5), mx.ones([256]).add(0.5)];
  await mx.evaluate(x, b);
  expect(shadersOf(nn.gelu(x.add(b)))).toMatchInlineSnapshot(`
    "// 16 × 1 × 1 workgroups
    @group(0) @binding(0) var<storage, read_write> slot0: array<vec4f>;
    fn store0x4(p: i32, x: vec4f) {
      slot0[p >> 2u] = x;
    }
    @group(0) @binding(1) var<storage, read> slot1: array<vec4f>;
    fn load1x4(p: i32) -> vec4f {
      return slot1[p >> 2u];
    }
    @group(0) @binding(2) var<storage, read> slot2: array<vec4f>;
    fn load2x4(p: i32) -> vec4f {
      return slot2[p >> 2u];
    }
    @group(0) @binding(3) var<uniform> constants: array<vec4u, 1>;
    fn divide4(a: vec4f, b: vec4f) -> vec4f {
      let size = abs(b);
      let scale = select(select(vec4f(1f), vec4f(0x1p+100f), size < vec4f(0x1p-100f)), vec4f(0x1p-100f), size > vec4f(0x1p+100f));
      let n = a * scale;
      let d = b * scale;
      let inverse = 1f / d;
      let q = n * inverse;
      let qh = upper4(q);
      let ql = q - qh;
      let dh = upper4(d);
      let dl = d - dh;
      let rest = ((settled4(n - qh * dh) - qh * dl) - ql * dh) - ql * dl;
      // upper, or q + rest · inverse becomes (n + rest) · inverse
      let corrected = q + rest * upper4(inverse);
      let is_exact = min(abs(n), abs(q)) > vec4f(0x1p-70f);
      return select(q, corrected, is_finite4(corrected) & (rest != vec4f(0f)) & is_exact);
    }
    fn upper4(x: vec4f) -> vec4f {
      return bitcast<vec4f>(bitcast<vec4u>(x) & vec4u(0xfffff000u));
    }
    fn settled4(x: vec4f) -> vec4f {
      return bitcast<vec4f>(bitcast<vec4u>(x) & vec4u(0xffffffc0u));
    }
    fn is_finite4(x: vec4f) -> vec4<bool> {
      return (bitcast<vec4u>(x) & vec4u(0x7f800000u)) != vec4u(0x7f800000u);
    }
    fn erf_of4(x: vec4f) -> vec4f {
      let size = min(abs(x), vec4f(4f));
      let q = ((((-0.00021399117f * size + 0.003214991f) * size - 0.022890039f) * size + 0.105261914f) * size + 0.6357183f) * size + 0.12851436f;
      let c = -(q * size + size);
      let n = round(c * 1.442695f);
      let s = power_of_two4(vec4i(n));
      let large = (1f - s) - s * exp_rest4(exp_reduced4(c, n));
      let square = size * size;
      let p = ((((-0.0005958978f * square + 0.004987253f) * square - 0.026762916f) * square + 0.1128173f) * square - 0.3761249f) * square + 0.12837915f;
      let small = p * size + size;
      return select(with_sign4(select(large, small, size < vec4f(0.925f)), x), x, is_nan4(x));
    }
    fn power_of_two4(k: vec4i) -> vec4f {
      return bitcast<vec4f>((k + vec4i(127)) << vec4u(23u));
    }
    fn exp_rest4(r: vec4f) -> vec4f {
      return (((((0.0013838003f * r + 0.0083691655f) * r + 0.041668102f) * r + 0.16666517f) * r + 0.49999994f) * r) * r + r;
    }
    fn exp_reduced4(x: vec4f, n: vec4f) -> vec4f {
      return (x - n * 0.69311523f) - n * 3.1946183e-5f;
    }
    fn with_sign4(size: vec4f, sign: vec4f) -> vec4f {
      return bitcast<vec4f>(bitcast<vec4u>(size) | (bitcast<vec4u>(sign) & vec4u(0x80000000u)));
    }
    fn is_nan4(x: vec4f) -> vec4<bool> {
      return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
    }
    @compute @workgroup_size(256) fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
      let group0 = i32(workgroup.x);
      let point1 = group0 * 256 + i32(thread);
      let v2 = load1x4(point1 * 4);
      let p3 = i32(u32(point1) % u32(64u));
      let v4 = load2x4(p3 * 4);
      let v5 = v2 + v4;
      let v6 = divide4(v5, vec4f(bitcast<f32>(constants[0].x)));
      let v7 = erf_of4(v6);
      let v8 = v7 + vec4f(1f);
      let v9 = v5 * v8;
      let v10 = divide4(v9, vec4f(bitcast<f32>(constants[0].y)));
      store0x4(point1 * 4, v10);
    }
    "
  `);
});

it("a sum over columns: a few rows for each thread, vectors of four columns", async () => {
  const x = mx.ones([1000, 256]).add(0.5);
  await mx.evaluate(x);
  expect(shadersOf(x.sum(0))).toMatchInlineSnapshot(`
    "// 8 × 1 × 1 workgroups
    var<workgroup> team4_0: array<vec4u, 256>;
    @group(0) @binding(0) var<storage, read_write> slot0: array<vec4f>;
    fn store0x4(p: i32, x: vec4f) {
      slot0[p >> 2u] = x;
    }
    @group(0) @binding(1) var<storage, read> slot1: array<vec4f>;
    fn load1x4(p: i32) -> vec4f {
      return slot1[p >> 2u];
    }
    @compute @workgroup_size(256) fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
      let group0 = i32(workgroup.x);
      let local1 = i32(thread % 8u);
      let member2 = i32(thread / 8u);
      let point3 = group0 * 8 + local1;
      var a4: vec4f = vec4f(0f);
      for (var j5 = member2; j5 < 896; j5 += 128) {
        let v6 = load1x4(point3 * 4 + j5 * 256);
        let s7 = a4 + v6;
        let v8 = load1x4(point3 * 4 + j5 * 256 + 8192);
        let s9 = s7 + v8;
        let v10 = load1x4(point3 * 4 + j5 * 256 + 16384);
        let s11 = s9 + v10;
        let v12 = load1x4(point3 * 4 + j5 * 256 + 24576);
        let s13 = s11 + v12;
        a4 = s13;
      }
      for (var j14 = 896 + member2; j14 < 1000; j14 += 32) {
        let v15 = load1x4(point3 * 4 + j14 * 256);
        let s16 = a4 + v15;
        a4 = s16;
      }
      let s17 = a4;
      workgroupBarrier();
      team4_0[thread] = bitcast<vec4u>(s17);
      workgroupBarrier();
      if (member2 < 8) {
        let s18 = bitcast<vec4f>(team4_0[thread]);
        let s19 = bitcast<vec4f>(team4_0[thread + 64u]);
        let s20 = s18 + s19;
        let s21 = bitcast<vec4f>(team4_0[thread + 128u]);
        let s22 = s20 + s21;
        let s23 = bitcast<vec4f>(team4_0[thread + 192u]);
        let s24 = s22 + s23;
        team4_0[thread] = bitcast<vec4u>(s24);
      }
      workgroupBarrier();
      if (member2 < 2) {
        let s25 = bitcast<vec4f>(team4_0[thread]);
        let s26 = bitcast<vec4f>(team4_0[thread + 16u]);
        let s27 = s25 + s26;
        let s28 = bitcast<vec4f>(team4_0[thread + 32u]);
        let s29 = s27 + s28;
        let s30 = bitcast<vec4f>(team4_0[thread + 48u]);
        let s31 = s29 + s30;
        team4_0[thread] = bitcast<vec4u>(s31);
      }
      workgroupBarrier();
      if (member2 < 1) {
        let s32 = bitcast<vec4f>(team4_0[thread]);
        let s33 = bitcast<vec4f>(team4_0[thread + 8u]);
        let s34 = s32 + s33;
        team4_0[thread] = bitcast<vec4u>(s34);
      }
      workgroupBarrier();
      let f35 = thread - u32(member2) * 8u;
      let s36 = bitcast<vec4f>(team4_0[f35]);
      let r37 = s36;
      if (member2 == 0) {
        store0x4(point3 * 4, r37);
      }
    }
    "
  `);
});
