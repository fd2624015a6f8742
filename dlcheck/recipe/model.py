"""The ``[model]`` and ``[init]`` sections."""

from typing import Annotated, Literal

from pydantic import Field

from dlcheck.recipe.section import Custom, Section

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "maxout"]
Normalization = Literal["none", "batch", "layer", "instance", "group", "weight", "decorrelated"]
Size = Annotated[int, Field(ge=1)]
Sizes = Annotated[list[Size], Field(min_length=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class ModelSection(Section):
    """Keys that every model has: transfer learning, and where it lies."""

    weights: str | None = None
    """Start from trained weights: ``"DEFAULT"`` or another name of torchvision's, or a checkpoint file."""
    train_stages: Literal["all", "head"] | Annotated[int, Field(ge=1)] = "all"
    """Which part learns: everything, only the head, or the head and this many last stages."""
    body_lr_factor: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of the body, relative to the head's (0.1 is the usual choice for fine-tuning)."""
    source: Literal["similar", "different", "unknown"] = "unknown"
    """How close the data of the trained weights is to yours; decides what ``train`` advises."""
    device_map: dict[str, Literal["cpu"] | Annotated[str, Field(pattern=r"^cuda:[0-9]+$")]] = {}
    """Lay a model that outgrows one device over several: ``{ features = "cuda:0", classifier = "cuda:1" }``.

    Names are those of the model's parts (``model.named_modules()``); what none covers goes to the first device.
    """


class Mlp(ModelSection):
    """Fully connected layers."""

    name: Literal["mlp"]
    hidden: list[Size] = [128, 64]
    """Units of each hidden layer."""
    activation: Activation = "relu"
    norm: Normalization = "none"
    dropout: Rate = 0.0


class Cnn(ModelSection):
    """Plain convolutions: a stage of convolution, activation and 2×2 pooling per entry of ``channels``."""

    name: Literal["cnn"]
    channels: Sizes = [32, 64]
    kernel: Annotated[int, Field(ge=1)] = 3
    pool: Literal["max", "average"] = "max"
    hidden: list[Size] = [128]
    """Units of the fully connected layers before the output."""
    activation: Activation = "relu"
    norm: Normalization = "none"
    dropout: Rate = 0.0


class ClassicCnn(ModelSection):
    """The networks of the textbooks, fitted to small images unless ``original``."""

    name: Literal["lenet5", "alexnet", "zfnet", "vgg", "nin", "googlenet"]
    original: bool = False
    """The published size and strides, which need images of about 224 pixels (LeNet-5: 28 or 32)."""
    depth: Literal[8, 11, 13, 16, 19] = 11
    """Layers of ``vgg`` (8 is a short one for small images)."""
    width: Annotated[float, Field(gt=0)] = 1.0
    """Factor on all channel counts."""
    activation: Activation = "relu"
    norm: Normalization = "none"
    dropout: Rate = 0.0


class ResidualCnn(ModelSection):
    """Networks of skip connections, fitted to small images unless ``original``."""

    name: Literal["resnet", "preact_resnet", "senet", "densenet", "resnext"]
    original: bool = False
    """The published stem (7×7, stride 2, pooling) instead of one 3×3 convolution."""
    blocks: Sizes = [2, 2, 2]
    """Blocks of each stage; each further stage halves the image."""
    width: Annotated[int, Field(ge=1)] = 16
    """Channels of the first stage (growth rate for ``densenet``); doubled from stage to stage."""
    groups: Annotated[int, Field(ge=1)] = 4
    """Cardinality of ``resnext``."""
    activation: Activation = "relu"
    norm: Normalization = "batch"
    dropout: Rate = 0.0


class TorchvisionModel(ModelSection):
    """Any classification network of torchvision, by the name ``get_model`` takes."""

    name: Literal["torchvision"]
    architecture: str = "resnet18"
    dropout: Rate = 0.0
    """Dropout before the new head."""


class Recurrent(ModelSection):
    """A recurrent network over a sequence of numbers or characters."""

    name: Literal["rnn", "lstm", "gru"]
    hidden: Size = 64
    layers: Size = 1
    bidirectional: bool = False
    embedding: Size = 64
    """Width of the character embedding (text only)."""
    dropout: Rate = 0.0
    """Between layers and before the output."""


class Transformer(ModelSection):
    """A small pre-norm Transformer; causal on text."""

    name: Literal["transformer"]
    width: Size = 64
    heads: Size = 4
    layers: Size = 2
    dropout: Rate = 0.0
    tie_weights: bool = False
    """Use the character embedding as output matrix too (text only)."""


class Autoencoder(ModelSection):
    """An encoder to a narrow code, and its mirror image."""

    name: Literal["autoencoder"]
    hidden: Sizes = [64]
    """Units of the encoder's layers before the code."""
    code: Size = 8
    activation: Activation = "relu"
    norm: Normalization = "none"
    dropout: Rate = 0.0


class Captioner(ModelSection):
    """A convolutional encoder whose output starts a recurrent decoder that writes words."""

    name: Literal["captioner"]
    channels: Sizes = [16, 32]
    embedding: Size = 32
    hidden: Size = 64
    cell: Literal["rnn", "lstm", "gru"] = "lstm"
    activation: Activation = "relu"
    norm: Normalization = "none"
    dropout: Rate = 0.0


class CustomModel(ModelSection, Custom):
    """The user's own ``nn.Module``; a parameter called ``info`` receives shapes and class count of the data."""


Model = Annotated[
    Mlp
    | Cnn
    | ClassicCnn
    | ResidualCnn
    | TorchvisionModel
    | Recurrent
    | Transformer
    | Autoencoder
    | Captioner
    | CustomModel,
    Field(discriminator="name"),
]


class InitSection(Section):
    """Keys that every initialisation has."""

    bias: float = 0.0
    """Value of the biases."""
    forget_bias: float | None = None
    """Bias of the forget gates of LSTMs (1 keeps memory open at the start)."""


class DefaultInit(Section):
    """PyTorch's own initialisation of each layer."""

    name: Literal["default"]
    forget_bias: float | None = None
    """Bias of the forget gates of LSTMs (1 keeps memory open at the start)."""


class ConstantInit(InitSection):
    """The same number everywhere: breaks learning, and shows why."""

    name: Literal["zeros", "constant"]
    value: float = 0.01
    """For ``constant``."""


class RandomInit(InitSection):
    """One law for all layers, whatever their size."""

    name: Literal["normal", "uniform"]
    std: Annotated[float, Field(gt=0)] = 0.01
    """Standard deviation; ``uniform`` draws from ±std·√3."""


class ScaledInit(InitSection):
    """Variance by the number of a layer's inputs and outputs."""

    name: Literal["lecun", "xavier", "he"]
    distribution: Literal["normal", "uniform"] = "normal"
    gain: Annotated[float, Field(gt=0)] = 1.0
    """Further factor on the standard deviation."""


class OrthogonalInit(InitSection):
    """Orthogonal matrices; ``identity`` makes recurrent matrices the identity and leaves others to ``orthogonal``."""

    name: Literal["orthogonal", "identity"]
    gain: Annotated[float, Field(gt=0)] = 1.0


class LsuvInit(InitSection):
    """Layer-sequential unit variance: orthogonal, then each layer scaled on a batch to output variance 1."""

    name: Literal["lsuv"]
    tolerance: Annotated[float, Field(gt=0)] = 0.01
    max_iterations: Annotated[int, Field(ge=1)] = 10


class RbmInit(InitSection):
    """Layer-wise pre-training of an MLP by restricted Boltzmann machines (contrastive divergence)."""

    name: Literal["rbm"]
    epochs: Annotated[int, Field(ge=1)] = 5
    lr: Annotated[float, Field(gt=0)] = 0.05
    batch_size: Annotated[int, Field(ge=1)] = 64


class CustomInit(Custom):
    """The user's own function of the model."""


Init = Annotated[
    DefaultInit | ConstantInit | RandomInit | ScaledInit | OrthogonalInit | LsuvInit | RbmInit | CustomInit,
    Field(discriminator="name"),
]
