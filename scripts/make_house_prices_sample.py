"""Writes the committed sample of house prices: invented houses in the columns and codes of the Kaggle set.

    python3 scripts/make_house_prices_sample.py data/samples/house_prices

No line of it comes from the Kaggle files, which may not be passed on. Numbers are drawn from distributions chosen for
this script, prices follow a formula of its own with noise. Every code of every category occurs, so that the sample has
as many features as the full set. The same files come out each time. Needs Python's standard library only.
"""

import csv
import random
import sys
from pathlib import Path

TRAINING, TEST = 240, 120

# Column: its codes, the usual one first, each next one rarer. `*` after a code: as frequent as the first.
CODES = {
    "MSZoning": "RL RM FV RH C_(all)",
    "Street": "Pave Grvl",
    "Alley": "Grvl Pave*",
    "LotShape": "Reg IR1* IR2 IR3",
    "LandContour": "Lvl HLS Bnk Low",
    "Utilities": "AllPub NoSeWa",
    "LotConfig": "Inside Corner CulDSac FR2 FR3",
    "LandSlope": "Gtl Mod Sev",
    "Neighborhood": "NAmes CollgCr* OldTown* Edwards* Somerst* NridgHt* Gilbert* Sawyer* NWAmes* SawyerW* Mitchel* BrkSide* "
    "Crawfor* IDOTRR* Timber* NoRidge StoneBr SWISU ClearCr MeadowV BrDale Blmngtn Veenker NPkVill Blueste",
    "Condition1": "Norm Feedr Artery RRAn PosN RRAe PosA RRNn RRNe",
    "Condition2": "Norm Feedr Artery PosN PosA RRNn RRAn RRAe",
    "BldgType": "1Fam TwnhsE Duplex Twnhs 2fmCon",
    "HouseStyle": "1Story 2Story* 1.5Fin SLvl SFoyer 2.5Unf 1.5Unf 2.5Fin",
    "RoofStyle": "Gable Hip Gambrel Flat Mansard Shed",
    "RoofMatl": "CompShg Tar&Grv WdShake WdShngl Metal Membran Roll ClyTile",
    "Exterior1st": "VinylSd MetalSd* HdBoard* Wd_Sdng* Plywood CemntBd BrkFace WdShing AsbShng Stucco BrkComm AsphShn Stone "
    "CBlock ImStucc",
    "Exterior2nd": "VinylSd MetalSd* HdBoard* Wd_Sdng* Plywood CmentBd Wd_Shng BrkFace Stucco AsbShng Brk_Cmn ImStucc Stone "
    "AsphShn CBlock Other",
    "MasVnrType": "None BrkFace* Stone BrkCmn",
    "ExterCond": "TA Gd Fa Ex Po",
    "Foundation": "PConc CBlock* BrkTil Slab Stone Wood",
    "BsmtCond": "TA Gd Fa Po",
    "BsmtExposure": "No Av Gd Mn",
    "BsmtFinType1": "Unf GLQ* ALQ Rec BLQ LwQ",
    "BsmtFinType2": "Unf Rec LwQ BLQ ALQ GLQ",
    "Heating": "GasA GasW Grav Wall OthW Floor",
    "CentralAir": "Y N",
    "Electrical": "SBrkr FuseA FuseF FuseP Mix",
    "Functional": "Typ Min2 Min1 Mod Maj1 Maj2 Sev",
    "GarageType": "Attchd Detchd* BuiltIn Basment 2Types CarPort",
    "GarageFinish": "Unf RFn* Fin*",
    "GarageQual": "TA Fa Gd Po Ex",
    "GarageCond": "TA Fa Gd Po Ex",
    "PavedDrive": "Y N P",
    "Fence": "MnPrv GdPrv GdWo MnWw",
    "MiscFeature": "Shed Gar2 Othr TenC",
    "SaleType": "WD New COD ConLD CWD ConLI ConLw Oth Con",
    "SaleCondition": "Normal Partial Abnorml Family Alloca AdjLand",
}
# Grades that follow the overall quality, from worst to best.
GRADES = {
    "ExterQual": "Fa TA Gd Ex",
    "BsmtQual": "Fa TA Gd Ex",
    "HeatingQC": "Po Fa TA Gd Ex",
    "KitchenQual": "Fa TA Gd Ex",
    "FireplaceQu": "Po Fa TA Gd Ex",
    "PoolQC": "Fa Gd Ex",
}
HEADER = (
    "Id MSSubClass MSZoning LotFrontage LotArea Street Alley LotShape LandContour Utilities LotConfig LandSlope "
    "Neighborhood Condition1 Condition2 BldgType HouseStyle OverallQual OverallCond YearBuilt YearRemodAdd RoofStyle "
    "RoofMatl Exterior1st Exterior2nd MasVnrType MasVnrArea ExterQual ExterCond Foundation BsmtQual BsmtCond BsmtExposure "
    "BsmtFinType1 BsmtFinSF1 BsmtFinType2 BsmtFinSF2 BsmtUnfSF TotalBsmtSF Heating HeatingQC CentralAir Electrical 1stFlrSF "
    "2ndFlrSF LowQualFinSF GrLivArea BsmtFullBath BsmtHalfBath FullBath HalfBath BedroomAbvGr KitchenAbvGr KitchenQual "
    "TotRmsAbvGrd Functional Fireplaces FireplaceQu GarageType GarageYrBlt GarageFinish GarageCars GarageArea GarageQual "
    "GarageCond PavedDrive WoodDeckSF OpenPorchSF EnclosedPorch 3SsnPorch ScreenPorch PoolArea PoolQC Fence MiscFeature "
    "MiscVal MoSold YrSold SaleType SaleCondition SalePrice"
).split()
BASEMENT = ["BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2"]
GARAGE = ["GarageType", "GarageYrBlt", "GarageFinish", "GarageQual", "GarageCond"]


def code_list(text):
    weights = []
    for word in text.split():
        weights.append(1.0 if word.endswith("*") or not weights else 0.5 * min(weights))
    return [word.rstrip("*").replace("_", " ") for word in text.split()], weights


def clamped(rng, mean, spread, low, high):
    return int(min(max(rng.gauss(mean, spread), low), high))


def house(rng, number):
    row = {}
    for column, text in CODES.items():
        codes, weights = code_list(text)
        row[column] = rng.choices(codes, weights)[0]
    quality = clamped(rng, 6.4, 1.4, 1, 10)
    for column, text in GRADES.items():
        grades = text.split()
        row[column] = grades[clamped(rng, (quality - 1) / 9 * len(grades), 0.6, 0, len(grades) - 1)]
    sold = rng.randint(2006, 2010)
    built = sold - clamped(rng, 55 - 5 * quality, 18, 0, 125)
    first, two_floors = clamped(rng, 700 + 75 * quality, 220, 400, 3000), row["HouseStyle"].startswith("2")
    second = clamped(rng, 0.8 * first, 120, 200, 2000) if two_floors else 0
    basement = clamped(rng, first - 60, 90, 0, 3000)
    finished = rng.randint(0, basement) if row["BsmtFinType1"] != "Unf" else 0
    cars = clamped(rng, quality / 2.6, 0.7, 1, 4)
    area = first + second
    row |= {
        "Id": number,
        "MSSubClass": rng.choice([20, 20, 30, 50, 60, 60, 70, 80, 85, 90, 120, 160, 190]),
        "LotFrontage": clamped(rng, 70, 20, 21, 200),
        "LotArea": clamped(rng, 9800, 3200, 1500, 40000),
        "OverallQual": quality,
        "OverallCond": clamped(rng, 5.9, 1.1, 1, 9),
        "YearBuilt": built,
        "YearRemodAdd": max(1950, rng.randint(built, sold)),
        "MasVnrArea": 0 if row["MasVnrType"] == "None" else clamped(rng, 220, 120, 20, 1200),
        "BsmtFinSF1": finished,
        "BsmtFinSF2": 0 if row["BsmtFinType2"] == "Unf" else rng.randint(0, basement - finished),
        "TotalBsmtSF": basement,
        "1stFlrSF": first,
        "2ndFlrSF": second,
        "LowQualFinSF": rng.choice([0] * 30 + [120, 360]),
        "GrLivArea": area,
        "BsmtFullBath": rng.choice([0, 0, 1]),
        "BsmtHalfBath": rng.choice([0] * 12 + [1]),
        "FullBath": 1 + (area > 1500) + (area > 3000),
        "HalfBath": int(two_floors),
        "BedroomAbvGr": clamped(rng, area / 500, 0.7, 1, 6),
        "KitchenAbvGr": 2 if row["BldgType"] == "Duplex" else 1,
        "TotRmsAbvGrd": clamped(rng, area / 240, 0.9, 3, 14),
        "Fireplaces": rng.choice([0, 0, 1, 1, 2]),
        "GarageYrBlt": max(built, 1900),
        "GarageCars": cars,
        "GarageArea": clamped(rng, 260 * cars, 60, 160, 1400),
        "WoodDeckSF": rng.choice([0, 1]) * rng.randint(40, 400),
        "OpenPorchSF": rng.choice([0, 1]) * rng.randint(10, 200),
        "EnclosedPorch": rng.choice([0] * 5 + [1]) * rng.randint(20, 300),
        "3SsnPorch": rng.choice([0] * 40 + [1]) * rng.randint(90, 320),
        "ScreenPorch": rng.choice([0] * 10 + [1]) * rng.randint(80, 320),
        "PoolArea": rng.choice([0] * 20 + [1]) * rng.randint(200, 700),
        "MiscVal": rng.choice([0] * 25 + [1]) * rng.randint(4, 30) * 100,
        "MoSold": rng.randint(1, 12),
        "YrSold": sold,
    }
    row["BsmtUnfSF"] = basement - finished - row["BsmtFinSF2"]
    value = 40 * area + 20 * basement + 15 * row["GarageArea"] + 0.8 * row["LotArea"] + 250 * (built - 1900)
    row["SalePrice"] = round(value * (0.45 + 0.1 * quality) * rng.lognormvariate(0.0, 0.1) / 100) * 100
    return row


def take_away(rng, row):
    """Marks as missing what such a house has not, and now and then what nobody wrote down."""
    gone = []
    if rng.random() < 0.04:
        gone += BASEMENT
        row |= {"BsmtFinSF1": 0, "BsmtFinSF2": 0, "BsmtUnfSF": 0, "TotalBsmtSF": 0}
    if rng.random() < 0.06:
        gone += GARAGE
        row |= {"GarageCars": 0, "GarageArea": 0}
    gone += [column for column, there in [("FireplaceQu", row["Fireplaces"]), ("PoolQC", row["PoolArea"])] if not there]
    for column, share in [("Alley", 0.9), ("Fence", 0.8), ("MiscFeature", 0.9), ("LotFrontage", 0.17), ("MasVnrArea", 0.01)]:
        if rng.random() < share:
            gone.append(column)
    row |= dict.fromkeys(gone, "NA")


def complete(rng, rows):
    """Gives codes that no house has to houses that are free to have them."""
    for column, text in (CODES | GRADES).items():
        codes = code_list(text)[0]
        for code in codes:
            if not any(row[column] == code for row in rows):
                free = [row for row in rows if row[column] == "NA" or sum(r[column] == row[column] for r in rows) > 2]
                rng.choice(free)[column] = code


def main(target):
    rng = random.Random(20)
    rows = [house(rng, number) for number in range(1, TRAINING + TEST + 1)]
    for row in rows:
        take_away(rng, row)
    complete(rng, rows)
    target.mkdir(parents=True, exist_ok=True)
    parts = [("train", rows[:TRAINING], HEADER), ("test", rows[TRAINING:], HEADER[:-1])]
    for part, houses, header in parts:
        with open(target / f"kaggle_house_pred_{part}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, header, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(houses)
        print(f"{part}: {len(houses)} houses, {len(header)} columns")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
