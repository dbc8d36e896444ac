"""The peer: a loss service as one would write it in Python today.

FastAPI on uvicorn with uvloop and httptools; orjson, numpy and PyTorch on the CPU.

    POST /loss/{name}      {"predictions": [...], "targets": [...], "params": {...}, "reduction": "mean"}
                           -> {"loss": ..., "gradient": [...]}
    POST /loss-bin/{name}  a safetensors body with predictions and targets
                           -> a safetensors body with loss and gradient

PEER_THREADS sets how many threads torch may use for one operation.
"""

import os

import numpy as np
import orjson
import torch
import torch.nn.functional as F
from fastapi import FastAPI, Request, Response
from safetensors.numpy import load, save
from starlette.concurrency import run_in_threadpool

# Below this many bytes, a thread's hop costs more than the work.
INLINE_BYTES = 32 * 1024

LOSSES = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber": F.huber_loss,
    "bce": F.binary_cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "kl_div": F.kl_div,
    "cross_entropy": F.cross_entropy,
}

torch.set_num_threads(int(os.environ.get("PEER_THREADS", os.cpu_count())))
app = FastAPI()


def tensor(numbers, dtype):
    """A list to a tensor. Through numpy, because torch.tensor takes five times as long."""
    return torch.from_numpy(np.asarray(numbers, dtype=dtype))


def evaluate(name, predictions, targets, **options):
    """The loss and its gradient, as arrays."""
    if name != "cross_entropy" and predictions.shape != targets.shape:
        raise ValueError(f"shapes differ: {predictions.shape} and {targets.shape}")
    loss = LOSSES[name](predictions.requires_grad_(), targets, **options)
    loss.backward(torch.ones_like(loss))
    return loss.detach().numpy(), predictions.grad.numpy()


def from_json(name, body):
    request = orjson.loads(body)
    targets_dtype = np.int64 if name == "cross_entropy" else np.float32
    predictions = tensor(request["predictions"], np.float32)
    targets = tensor(request["targets"], targets_dtype)
    options = {"reduction": request.get("reduction", "mean"), **request.get("params", {})}
    del request
    loss, gradient = evaluate(name, predictions, targets, **options)
    answer = {"loss": loss.tolist(), "gradient": gradient}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def from_safetensors(name, body):
    tensors = {key: torch.from_numpy(array) for key, array in load(body).items()}
    loss, gradient = evaluate(name, tensors["predictions"], tensors["targets"])
    return save({"loss": np.ascontiguousarray(loss), "gradient": gradient})


async def answer(work, media_type, name, request):
    body = await request.body()
    try:
        if len(body) < INLINE_BYTES:
            return Response(work(name, body), media_type=media_type)
        return Response(await run_in_threadpool(work, name, body), media_type=media_type)
    except (IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        return Response(orjson.dumps({"error": str(error)}), 422, media_type="application/json")


@app.post("/loss/{name}")
async def loss_json(name: str, request: Request):
    return await answer(from_json, "application/json", name, request)


@app.post("/loss-bin/{name}")
async def loss_safetensors(name: str, request: Request):
    return await answer(from_safetensors, "application/vnd.safetensors", name, request)
