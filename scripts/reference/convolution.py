"""Values and gradients of PyTorch 2.15.0 for the convolutions, pools, batch normalisation and upsampling of `d2l::ops`.

Writes `crates/d2l/tests/reference/convolution.safetensors`: for each case its inputs, `….y` and the gradients of
`sum(y * seed)`, in double precision. Run from the root of the repository: `python scripts/reference/convolution.py`.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
tensors = {}


def record(case, function, **inputs):
    """Stores inputs, result, the seed of the backward pass and all gradients under the case's name."""
    leaves = {name: value.double().requires_grad_() for name, value in inputs.items()}
    y = function(**leaves)
    seed = torch.rand_like(y) - 0.5
    y.backward(seed)
    for name, leaf in leaves.items():
        tensors[f"{case}.{name}"] = leaf.detach().contiguous()
        tensors[f"{case}.grad_{name}"] = leaf.grad.contiguous()
    tensors[f"{case}.y"] = y.detach().contiguous()
    tensors[f"{case}.seed"] = seed


def conv(case, transposed=False, x=(2, 4, 9, 7), w=(6, 4, 3, 3), b=6, **options):
    function = F.conv_transpose2d if transposed else F.conv2d
    record(case, lambda x, w, b: function(x, w, b, **options), x=torch.randn(x), w=torch.randn(w), b=torch.randn(b))


conv("conv2d_plain")
conv("conv2d_strided", stride=(2, 3), padding=(1, 0), dilation=(1, 2))
conv("conv2d_grouped", w=(6, 2, 3, 2), groups=2, padding=2, stride=2)
conv("conv2d_winograd3", x=(2, 17, 10, 7), w=(18, 17, 3, 3), b=18, padding=1)
conv("conv2d_winograd5", x=(1, 16, 9, 8), w=(17, 16, 5, 5), b=17, padding=(2, 1))
conv("conv_transpose2d_plain", transposed=True, x=(2, 4, 5, 4), w=(4, 3, 3, 3), b=3)
conv("conv_transpose2d_strided", transposed=True, x=(2, 4, 5, 4), w=(4, 3, 4, 3), b=3, stride=(2, 3), padding=(1, 0),
     output_padding=(1, 2), dilation=(1, 2))
conv("conv_transpose2d_grouped", transposed=True, x=(2, 4, 5, 4), w=(4, 3, 3, 3), b=6, groups=2, stride=2, padding=1)
record("conv1d", lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=2, dilation=2), x=torch.randn(2, 3, 11),
       w=torch.randn(4, 3, 3), b=torch.randn(4))

planes = torch.randn(2, 3, 9, 7)
ties = torch.randint(0, 3, (2, 3, 9, 7))
record("max_pool2d", lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 1)), x=planes)
record("max_pool2d_ties", lambda x: F.max_pool2d(x, 3, 2, 1), x=ties)
record("max_pool1d", lambda x: F.max_pool1d(x, 3, 2, 1), x=planes[:, :, 0])
record("avg_pool2d", lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 1)), x=planes)
record("avg_pool1d", lambda x: F.avg_pool1d(x, 3, 2, 1), x=planes[:, :, 0])
record("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (4, 3)), x=planes)
record("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (4, 3)), x=planes)
record("upsample_nearest2d", lambda x: F.interpolate(x, (20, 5), mode="nearest"), x=planes)
record("upsample_bilinear2d", lambda x: F.interpolate(x, (20, 5), mode="bilinear", align_corners=False), x=planes)
record("upsample_bilinear2d_corners", lambda x: F.interpolate(x, (20, 5), mode="bilinear", align_corners=True), x=planes)

for case, x, train in [("batch_norm", planes + 3, True), ("batch_norm_rows", torch.randn(8, 3), True),
                       ("batch_norm_inference", planes, False)]:
    mean, var = torch.randn(3).double(), (torch.rand(3) + 0.5).double()
    tensors[f"{case}.mean_before"], tensors[f"{case}.var_before"] = mean.clone(), var.clone()
    record(case, lambda x, gamma, beta: F.batch_norm(x, mean, var, gamma, beta, training=train), x=x,
           gamma=torch.randn(3), beta=torch.randn(3))
    tensors[f"{case}.mean_after"], tensors[f"{case}.var_after"] = mean, var

record("conv1d_grouped", lambda x, w, b: F.conv1d(x, w, b, padding=1, groups=2), x=torch.randn(2, 4, 7),
       w=torch.randn(6, 2, 3), b=torch.randn(6))

save_file(tensors, "crates/d2l/tests/reference/convolution.safetensors", metadata={"pytorch": torch.__version__})
