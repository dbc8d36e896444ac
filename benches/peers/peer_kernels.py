"""Times losses with their gradients in Python libraries: the same lines as kernels.rs, with the
library before them: `LIBRARY LOSS ELEMENTS ROW THREADS` gets nanoseconds per element, or `-` where
there is nothing to measure. All runs of one process have the same number of threads."""

import os
import sys
import time
import warnings

threads = int(sys.argv[1])
os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

ROUND_NS = 20_000_000
torch.set_num_threads(threads)
warnings.simplefilter("ignore")
# CPU time of all threads: a library may work on another thread than the one that asks.
clock = time.process_time_ns if threads == 1 else time.perf_counter_ns


def torch_focal(x, t, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(x)
    bce = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    miss = p * (1 - t) + (1 - p) * t
    return ((alpha * t + (1 - alpha) * (1 - t)) * bce * miss**gamma).mean()


TORCH = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber": F.huber_loss,
    "binary_cross_entropy": F.binary_cross_entropy,
    "binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits,
    "sigmoid_focal": torch_focal,
    "kl_div": F.kl_div,
    "triplet_margin": F.triplet_margin_loss,
    "cross_entropy": F.cross_entropy,
}


def jax_huber(x, t):
    size = jnp.abs(x - t)
    return jnp.where(size < 1, 0.5 * size**2, size - 0.5).mean()


def jax_logits(x, t):
    return jnp.maximum(x, 0) - x * t + jnp.log1p(jnp.exp(-jnp.abs(x)))


def jax_focal(x, t, alpha=0.25, gamma=2.0):
    p = jax.nn.sigmoid(x)
    miss = p * (1 - t) + (1 - p) * t
    return ((alpha * t + (1 - alpha) * (1 - t)) * jax_logits(x, t) * miss**gamma).mean()


def jax_triplet(anchor, positive, negative, margin=1.0, eps=1e-6):
    def distance(other):
        return jnp.sqrt(jnp.sum((anchor - other + eps) ** 2, axis=1))

    return jnp.maximum(margin + distance(positive) - distance(negative), 0).mean()


def jax_cross_entropy(x, t):
    picked = jnp.take_along_axis(x, t[:, None], axis=1)[:, 0]
    return (jax.nn.logsumexp(x, axis=1) - picked).mean()


JAX = {
    "mse": lambda x, t: ((x - t) ** 2).mean(),
    "l1": lambda x, t: jnp.abs(x - t).mean(),
    "huber": jax_huber,
    "binary_cross_entropy": lambda x, t: -(t * jnp.log(x) + (1 - t) * jnp.log1p(-x)).mean(),
    "binary_cross_entropy_with_logits": lambda x, t: jax_logits(x, t).mean(),
    "sigmoid_focal": jax_focal,
    "kl_div": lambda x, t: (jax.scipy.special.xlogy(t, t) - t * x).mean(),
    "triplet_margin": jax_triplet,
    "cross_entropy": jax_cross_entropy,
}


# In numpy, into two buffers that are there already: g becomes the gradient.


def numpy_mse(x, t, g, b):
    np.subtract(x, t, out=g)
    loss = np.vdot(g, g) / g.size
    g *= np.float32(2 / g.size)
    return loss


def numpy_l1(x, t, g, b):
    np.subtract(x, t, out=g)
    loss = np.abs(g, out=b).mean()
    np.sign(g, out=g)
    g *= np.float32(1 / g.size)
    return loss


def numpy_huber(x, t, g, b):
    np.subtract(x, t, out=b)
    np.clip(b, -1, 1, out=g)
    loss = np.vdot(g, b) / g.size - 0.5 * np.vdot(g, g) / g.size
    g *= np.float32(1 / g.size)
    return loss


def numpy_bce(x, t, g, b):
    np.log(x, out=g)
    np.log1p(np.negative(x, out=b), out=b)
    loss = -(np.vdot(t, g) + b.sum() - np.vdot(t, b)) / g.size
    np.subtract(x, t, out=g)
    np.multiply(x, np.subtract(1, x, out=b), out=b)
    g /= b
    g *= np.float32(1 / g.size)
    return loss


def numpy_logits(x, t, g, b):
    np.exp(np.negative(np.abs(x, out=b), out=b), out=b)
    loss = (np.maximum(x, 0, out=g).sum() - np.vdot(x, t) + np.log1p(b, out=g).sum()) / g.size
    np.divide(np.where(x < 0, b, 1), np.add(b, 1, out=b), out=g)
    g -= t
    g *= np.float32(1 / g.size)
    return loss


def numpy_kl_div(x, t, g, b):
    np.log(t, out=b)
    b -= x
    loss = np.vdot(t, b) / g.size
    np.multiply(t, np.float32(-1 / g.size), out=g)
    return loss


def numpy_cross_entropy(x, t, g, b):
    rows = np.arange(len(t))
    most = x.max(axis=1, keepdims=True)
    np.exp(np.subtract(x, most, out=g), out=g)
    total = g.sum(axis=1, keepdims=True)
    loss = (np.log(total) + most)[:, 0].mean() - x[rows, t].mean()
    g /= total
    g[rows, t] -= 1
    g *= np.float32(1 / len(t))
    return loss


NUMPY = {
    "mse": numpy_mse,
    "l1": numpy_l1,
    "huber": numpy_huber,
    "binary_cross_entropy": numpy_bce,
    "binary_cross_entropy_with_logits": numpy_logits,
    "kl_div": numpy_kl_div,
    "cross_entropy": numpy_cross_entropy,
}


def batch(loss, elements, row):
    """Inputs of the shapes and domains that kernels.rs makes."""
    rng = np.random.default_rng(1)
    inputs = 3 if loss == "triplet_margin" else 2
    rows = elements // (row * (3 if loss == "triplet_margin" else 1))
    shape = (rows,) if row == 1 else (rows, row)

    def numbers(low=-4.0, high=4.0):
        return rng.random(shape, dtype=np.float32) * np.float32(high - low) + np.float32(low)

    if loss == "cross_entropy":
        return [numbers(), rng.integers(0, row, rows)]
    if loss == "binary_cross_entropy":
        return [numbers(0.01, 0.99), numbers(0.01, 0.99)]
    if loss in ("binary_cross_entropy_with_logits", "sigmoid_focal"):
        return [numbers(), numbers(0.01, 0.99)]
    if loss == "kl_div":
        return [np.log(numbers(0.01, 0.99)), numbers(0.01, 0.99)]
    return [numbers() for _ in range(inputs)]


def torch_step(loss, inputs, compiled):
    function = TORCH[loss]
    if compiled:
        torch._dynamo.reset()
        function = torch.compile(function, dynamic=False)
    tensors = [torch.from_numpy(each) for each in inputs]
    moving = tensors if loss == "triplet_margin" else tensors[:1]
    for each in moving:
        each.requires_grad_()

    def step():
        for each in moving:
            each.grad = None
        value = function(*tensors)
        value.backward()
        return value, moving[0].grad

    return step


def jax_step(loss, inputs):
    places = (0, 1, 2) if loss == "triplet_margin" else 0
    function = jax.jit(jax.value_and_grad(JAX[loss], argnums=places))
    arrays = [jnp.asarray(each) for each in inputs]

    def step():
        value, gradient = jax.block_until_ready(function(*arrays))
        return value, gradient[0] if isinstance(places, tuple) else gradient

    return step


def numpy_step(loss, inputs):
    gradient, buffer = np.empty_like(inputs[0]), np.empty_like(inputs[0])
    return lambda: (NUMPY[loss](*inputs, gradient, buffer), gradient)


class Case:
    """A loss on one batch, for each library that is asked for."""

    def __init__(self, loss, elements, row):
        self.loss, self.inputs = loss, batch(loss, elements, row)
        self.elements = self.inputs[0].size * (3 if loss == "triplet_margin" else 1)
        self.steps = {}

    def step(self, library):
        if library == "numpy" and (self.loss not in NUMPY or threads != 1):
            return None
        if library == "jax":
            return jax_step(self.loss, self.inputs)
        if library == "numpy":
            return numpy_step(self.loss, self.inputs)
        return torch_step(self.loss, self.inputs, library == "compile")

    def round(self, library):
        if library not in self.steps:
            step = self.step(library)
            self.steps[library] = step, step and repeats(step)
        step, times = self.steps[library]
        if step is None:
            return None
        start = clock()
        for _ in range(times):
            step()
        return (clock() - start) / times / self.elements


def repeats(step):
    """How often a step is done in a round. The first one compiles it; the others warm it up."""
    step()
    start, done = time.perf_counter_ns(), 0
    while done == 0 or time.perf_counter_ns() - start < ROUND_NS:
        step()
        done += 1
    return done


def main():
    case, of = None, None
    for line in sys.stdin:
        library, loss, elements, row, _threads = line.split()
        if of != (loss, elements, row):
            case, of = None, (loss, elements, row)  # frees the last one before the next is made
            case = Case(loss, int(elements), int(row))
        took = case.round(library)
        print("-" if took is None else took, flush=True)


if __name__ == "__main__":
    main()
