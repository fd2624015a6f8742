"""What is planted into which script: each fault is a few edits of its text, so that sick and clean differ by the bug."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts"
Edit = tuple[str, str]


@dataclass(frozen=True)
class Fault:
    """A bug in a script, and what must be found."""

    script: str
    code: str
    name: str
    edits: Sequence[Edit]
    """Text that occurs exactly once, and what stands there instead."""
    line_of: str = ""
    """Text of the line (after the edits) that the finding must point to; empty: no line is asked for."""
    crashes: bool = False
    """The sick script ends with an exception of its own."""
    or_codes: tuple[str, ...] = ()
    """Other findings that name the same fault as well."""
    slow: bool = False
    missed: str = ""
    """Why it is not found, where that is known."""

    @property
    def id(self) -> str:
        return f"{self.script}-{self.name.replace(' ', '-')}"

    def plant(self) -> str:
        """Return the script's text with the fault in it."""
        text = (SCRIPTS / f"{self.script}.py").read_text(encoding="utf-8")
        for old, new in self.edits:
            assert text.count(old) == 1, f"{self.id}: {old!r} occurs {text.count(old)} times"
            text = text.replace(old, new)
        return text


FAULTS: tuple[Fault, ...] = (
    # digits_mlp: a plain loop in functions
    Fault(
        "digits_mlp",
        "G306",
        "gradients not zeroed",
        [("        optimizer.zero_grad()\n", "")],
        line_of="optimizer.step()",
    ),
    Fault("digits_mlp", "G307", "step missing", [("        optimizer.step()\n", "")]),
    Fault(
        "digits_mlp",
        "G312",
        "scheduler stepped per batch",
        [("        optimizer.step()\n", "        optimizer.step()\n        scheduler.step()\n"),
         ("train_loader, optimizer, epoch):", "train_loader, optimizer, epoch, scheduler):"),
         ("train_loader, optimizer, epoch)\n", "train_loader, optimizer, epoch, scheduler)\n"),
         ("test_loader)\n        scheduler.step()\n", "test_loader)\n")],
        line_of="scheduler.step()",
    ),
    Fault(
        "digits_mlp",
        "M206",
        "probabilities into cross-entropy",
        [("return self.fc3(x)", "return F.softmax(self.fc3(x), dim=1)")],
        line_of="loss = F.cross_entropy(output, target)",
    ),
    Fault("digits_mlp", "M212", "evaluated in training mode", [("    model.eval()\n", "")], line_of="output = model(data)"),
    Fault(
        "digits_mlp",
        "M213",
        "trained in evaluation mode after the first evaluation",
        [("    model.train()\n", ""), ("    model = Net().to(device)\n", "    model = Net().to(device)\n    model.train()\n")],
    ),
    Fault("digits_mlp", "G304", "rate far too high", [("default=0.05", "default=15.0")], or_codes=("C404", "C402", "C401", "C406")),
    Fault("digits_mlp", "G305", "rate far too low", [("default=0.05", "default=1e-6")], or_codes=("C405",)),
    Fault("digits_mlp", "C416", "sign flipped", [("loss = F.cross_entropy(output, target)\n", "loss = -F.cross_entropy(output, target)\n")]),
    Fault(
        "digits_mlp",
        "D106",
        "validated on rows of the training data",
        [("TensorDataset(test_x, test_y)", "TensorDataset(train_x[:450], train_y[:450])")],
    ),
    # digits_cnn: a trainer class
    Fault(
        "digits_cnn",
        "G312",
        "scheduler before the optimizer",
        [("            self.optimizer.step()\n            self.scheduler.step()\n",
          "            self.scheduler.step()\n            self.optimizer.step()\n")],
        line_of="self.scheduler.step()",
    ),
    Fault(
        "digits_cnn",
        "D104",
        "labels count from one",
        [("int(self.labels[index])", "int(self.labels[index]) + 1")],
        line_of="loss = self.criterion(outputs, labels)",
        crashes=True,
    ),
    Fault(
        "digits_cnn",
        "G311",
        "losses added up with their graphs",
        [("loss.item() * len(labels)\n        return running", "loss * len(labels)\n        return running")],
    ),
    Fault("digits_cnn", "M212", "validated in training mode", [("        self.model.eval()\n", "")], line_of="outputs = self.model(images)"),
    # iris_softmax: no modules at all
    Fault(
        "iris_softmax",
        "M206",
        "probabilities into the negative log-likelihood",
        [("F.log_softmax(logits", "F.softmax(logits")],
        line_of="loss = F.nll_loss(log_probs, y[train])",
    ),
    Fault("iris_softmax", "G306", "gradients not zeroed", [("    optimizer.zero_grad()\n", "")], line_of="optimizer.step()"),
    # wine_tabular: data loaders and one function for both modes
    Fault("wine_tabular", "D109", "sorted by class", [("batch_size=BATCH_SIZE, shuffle=True", "batch_size=BATCH_SIZE")]),
    Fault(
        "wine_tabular",
        "D102",
        "columns not scaled",
        [("    X_train, X_val = scaler.transform(X_train), scaler.transform(X_val)\n", "")],
    ),
    Fault("wine_tabular", "D106", "held-out rows also trained on", [("X[~held_out], y[~held_out]", "X, y")]),
    Fault("wine_tabular", "M207", "optimizer for another model", [("torch.optim.Adam(model.parameters()", "torch.optim.Adam(build_model().parameters()")], line_of="optimizer = torch.optim.Adam(build_model()"),
    # cancer_binary: one logit
    Fault(
        "cancer_binary",
        "M206",
        "sigmoid twice",
        [("return self.body(x)", "return torch.sigmoid(self.body(x))")],
        line_of="loss = criterion(score, y)",
    ),
    Fault(
        "cancer_binary",
        "M206",
        "raw scores into binary cross-entropy",
        [("nn.BCEWithLogitsLoss()", "nn.BCELoss()")],
        line_of="loss = criterion(score, y)",
        crashes=True,
    ),
    # In digits_cnn a batch of two still gives 8 values a channel, and the network learns all the same: no fault.
    Fault(
        "cancer_binary",
        "M210",
        "batch norm with batches of two",
        [('"--batch-size", type=int, default=32', '"--batch-size", type=int, default=2'),
         ('"--epochs", type=int, default=20', '"--epochs", type=int, default=4')],
    ),
    Fault("cancer_binary", "G313", "weight decay far too strong", [("weight_decay=5e-3", "weight_decay=5.0")], or_codes=("C406",)),
    # diabetes_regression: a regression
    Fault(
        "diabetes_regression",
        "M211",
        "column against row",
        [("return self.out(h).squeeze(1)", "return self.out(h)")],
        line_of="loss = loss_fn(prediction, y)",
    ),
    Fault(
        "diabetes_regression",
        "D116",
        "target not scaled",
        [("    y_train = (y_train - mu) / sigma\n    y_test = (y_test - mu) / sigma\n", "    print(mu, sigma)\n")],
    ),
    Fault("diabetes_regression", "M204", "dead units from the start", [("        self.out = nn.Linear(dim_hidden, 1)\n", "        self.out = nn.Linear(dim_hidden, 1)\n        nn.init.constant_(self.fc1.bias, -30.0)\n")]),
    Fault("diabetes_regression", "M202", "all weights zero", [("        self.out = nn.Linear(dim_hidden, 1)\n", "        self.out = nn.Linear(dim_hidden, 1)\n        for p in self.parameters():\n            nn.init.zeros_(p)\n")]),
    # char_rnn: truncated back-propagation through time
    Fault(
        "char_rnn",
        "G311",
        "hidden state not detached",
        [("        model.zero_grad()\n        hidden = repackage_hidden(hidden)\n", "        model.zero_grad()\n")],
        line_of="loss.backward()",
        crashes=True,
    ),
    Fault("char_rnn", "G308", "clipped to almost nothing", [('"--clip", type=float, default=0.5', '"--clip", type=float, default=0.002')]),
    Fault("char_rnn", "M215", "dropout far too strong", [("dropout=0.1", "dropout=0.95")]),
    # char_gpt
    Fault("char_gpt", "M212", "estimated in training mode", [("    model.eval()\n", "")], line_of="_, loss = model(X, Y)"),
    Fault("char_gpt", "G305", "rate far too low", [("\nlearning_rate = 5e-3\nmin_lr = 5e-4", "\nlearning_rate = 5e-8\nmin_lr = 5e-9")], or_codes=("C405",)),
    Fault(
        "char_gpt",
        "M213",
        "left in evaluation mode",
        [("    model.train()\n    return out", "    return out")],
    ),
    # moons_gan: two optimizers
    Fault("moons_gan", "G306", "discriminator's gradients not zeroed", [("        optimizer_D.zero_grad()\n", "")], line_of="optimizer_D.step()"),
    Fault(
        "moons_gan",
        "M207",
        "both optimizers for the discriminator",
        [("optimizer_G = torch.optim.Adam(generator.parameters()", "optimizer_G = torch.optim.Adam(discriminator.parameters()")],
        line_of="optimizer_G = torch.optim.Adam(",
    ),
    # vae_digits
    Fault(
        "vae_digits",
        "G317",
        "logarithm of zero",
        [("F.softplus(self.fc_var(h)) + 1e-5", "F.relu(self.fc_var(h))")],
    ),
    Fault("vae_digits", "G307", "step missing", [("        optimizer.step()\n", "")]),
    # siamese_digits
    Fault(
        "siamese_digits",
        "G317",
        "square root at zero",
        [(".sum(dim=1) + 1e-8)", ".sum(dim=1))")],
        line_of="return torch.sqrt(",
    ),
    # reinforce_corridor
    Fault(
        "reinforce_corridor",
        "M207",
        "log-probabilities detached",
        [("m.log_prob(action))", "m.log_prob(action).detach())")],
        crashes=True,
    ),
    Fault("reinforce_corridor", "G306", "gradients not zeroed", [("    optimizer.zero_grad()\n", "")], line_of="optimizer.step()"),
    # finetune_head
    Fault(
        "finetune_head",
        "M207",
        "optimizer built before the head was replaced",
        [("model.head = nn.Linear(128, 5)\noptimizer = torch.optim.SGD(model.head.parameters(), lr=0.1, momentum=0.9)\n",
          "optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1, momentum=0.9)\nmodel.head = nn.Linear(128, 5)\n")],
        line_of="optimizer = torch.optim.SGD(",
    ),
    Fault(
        "finetune_head",
        "M207",
        "everything frozen",
        [("for parameter in model.backbone.parameters():\n    parameter.requires_grad = False\nmodel.head = nn.Linear(128, 5)\n",
          "model.head = nn.Linear(128, 5)\nfor parameter in model.parameters():\n    parameter.requires_grad = False\n")],
        crashes=True,
    ),
    # mc_dropout
    Fault("mc_dropout", "M215", "dropout far too strong", [("p=0.1", "p=0.97")], or_codes=("C406",)),
    Fault("mc_dropout", "G307", "rate of zero", [("lr=5e-3", "lr=0.0")], or_codes=("G316",)),
    # lbfgs_curve
    Fault("lbfgs_curve", "G306", "closure does not clear gradients", [("        optimizer.zero_grad()\n", "")]),
    # accumulate_amp
    Fault(
        "accumulate_amp",
        "G306",
        "cleared once an epoch",
        [("                scheduler.step()\n                optimizer.zero_grad()\n", "                scheduler.step()\n")],
        line_of="optimizer.step()",
    ),
    Fault(
        "accumulate_amp",
        "G312",
        "schedule over batches stepped over epochs",
        [("                scheduler.step()\n", ""), ("        model.eval()\n        ema.eval()\n", "        scheduler.step()\n        model.eval()\n        ema.eval()\n")],
        line_of="scheduler.step()",
    ),
    # scaled_half
    Fault(
        "scaled_half",
        "G308",
        "clipped before unscaling",
        [("        scaler.unscale_(optimizer)\n", "")],
        line_of="nn.utils.clip_grad_norm_(",
    ),
    Fault("scaled_half", "G306", "gradients not zeroed", [("        optimizer.zero_grad(set_to_none=True)\n", "")], line_of="scaler.step(optimizer)"),
    # sine_forecast
    Fault("sine_forecast", "D106", "validated on the training stretch", [("Windows(val_part,", "Windows(train_part,")]),
    Fault("sine_forecast", "D116", "series not scaled", [("    train_part, val_part = (train_part - mean) / std, (val_part - mean) / std\n", "    print(mean, std)\n")], or_codes=("D102",)),
    Fault("sine_forecast", "M214", "input ignored", [("return self.head(last[-1])", "return self.head(torch.zeros_like(last[-1]))")], or_codes=("M207", "M216")),
    Fault("sine_forecast", "M207", "detached in the middle", [("return self.head(last[-1])", "return self.head(last[-1].detach())")]),
    Fault("sine_forecast", "G311", "losses added up with their graphs", [("total_loss += loss.item()", "total_loss += loss")], line_of="loss = criterion(model(x), y)"),
    # worker_augment
    Fault(
        "worker_augment",
        "D114",
        "workers draw the same numbers",
        [("np.random.seed(torch.initial_seed() % 2**32)", "np.random.seed(13)")],
        line_of="def seed_worker(worker_id):",
    ),
    # ddp_blobs
    Fault("ddp_blobs", "G306", "gradients not zeroed", [("            optimizer.zero_grad()\n", "")], line_of="optimizer.step()"),
    Fault("ddp_blobs", "M213", "left in evaluation mode", [("        ddp_model.train()\n", "")]),
    Fault("ddp_blobs", "D109", "not shuffled and sorted", [("DistributedSampler(dataset, shuffle=train)", "DistributedSampler(dataset, shuffle=False)"), ("    x, y = (x[:1200], y[:1200])", "    x, y = x[y.argsort()], y[y.argsort()]\n    x, y = (x[:1200], y[:1200])")]),
    # compiled_mixer
    Fault("compiled_mixer", "G304", "rate far too high", [("lr=4e-3", "lr=3.0")], or_codes=("C404", "C402", "C401", "C406")),
    Fault("compiled_mixer", "G306", "gradients not zeroed", [("            optimizer.zero_grad()\n", "")], line_of="optimizer.step()"),
    # text_sentiment
    Fault(
        "text_sentiment",
        "M207",
        "embedding left out of the optimizer",
        [("torch.optim.Adam(model.parameters(), lr=2e-2)", "torch.optim.Adam(model.fc.parameters(), lr=2e-2)")],
        line_of="optimizer = torch.optim.Adam(",
    ),
    Fault("text_sentiment", "M206", "softmax in the model", [("return self.fc(self.embedding(text, offsets))", "return self.fc(self.embedding(text, offsets)).softmax(dim=1)")], line_of="loss = criterion(predicted, label)"),
    # deep_tanh
    Fault("deep_tanh", "G303", "sigmoids eight layers deep", [("nn.Tanh()", "nn.Sigmoid()")], or_codes=("M203", "C406")),
    Fault("deep_tanh", "M205", "weights far too large", [("    bound = math.sqrt(6 / (fan_in + fan_out))\n", "    bound = 20 * math.sqrt(6 / (fan_in + fan_out))\n")], or_codes=("M203",)),
    Fault("deep_tanh", "M202", "weights constant", [("layer.weight.uniform_(-bound, bound)", "layer.weight.fill_(bound / 8)")]),
    Fault("deep_tanh", "M203", "weights far too small", [("    bound = math.sqrt(6 / (fan_in + fan_out))\n", "    bound = 0.01 * math.sqrt(6 / (fan_in + fan_out))\n")], or_codes=("G303", "C406")),
    # scheduled_images
    Fault("scheduled_images", "D102", "raw 0 to 255 inputs", [("image.div(127.5).sub(0.6)", "image")]),
    Fault("scheduled_images", "G312", "schedule over epochs stepped over batches", [("T_max=a.epochs * len(train_dl)", "T_max=a.epochs")], line_of="sched.step()"),
    Fault("scheduled_images", "G312", "schedule over batches stepped over epochs", [("            optim.step()\n            sched.step()\n", "            optim.step()\n"), ("        model.eval()\n", "        sched.step()\n        model.eval()\n")], line_of="sched.step()"),
)  # fmt: skip
