"""Pictures that are decoded and augmented on their way into a minibatch (section 13.1); needs torchvision."""

import io
from pathlib import Path

from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

IMAGES = Path(__file__).resolve().parents[2] / "data" / "samples" / "detection" / "bananas_train" / "images"


class Jpegs(Dataset):
    """The committed files of 256 x 256 over and over, from memory; each is decoded when it is asked for."""

    def __init__(self, count):
        self.files = [path.read_bytes() for path in sorted(IMAGES.glob("*.jpg"))]
        self.count = count
        self.transform = transforms.Compose(
            [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        )

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        file = self.files[index % len(self.files)]
        return self.transform(Image.open(io.BytesIO(file)).convert("RGB")), 0


def augmented_jpegs(count, batch, workers):
    """Minibatches of them from `workers` processes, which stay from one epoch to the next."""
    return DataLoader(Jpegs(count), batch, num_workers=workers, persistent_workers=True)
