#!/usr/bin/env python3
"""What the workspace is built from: the licences of its dependencies, and what their build scripts may do.

    python3 scripts/supply_chain.py licences            writes LICENSES-dependencies.md
    python3 scripts/supply_chain.py licences --check    fails where that file is not current
    python3 scripts/supply_chain.py build-scripts       fails where a build script could reach the network

Needs cargo and the sources of the dependencies, which `cargo fetch --locked` brings; no network.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "LICENSES-dependencies.md"

# Crates that speak to a network; a build script that has one among its dependencies is refused.
CLIENTS = {
    "attohttpc", "curl", "curl-sys", "git2", "gix", "hf-hub", "hyper", "isahc", "minreq", "openssl-sys", "reqwest",
    "surf", "tokio", "ureq",
}
# Traces of a network in the text of a build script; comments are left out before the search.
TRACES = re.compile(
    r"\b(TcpStream|UdpSocket|ToSocketAddrs|ureq|reqwest|curl|wget|git2)\b|Command::new\(\s*\"(git|sh|bash|python3?|cargo)\""
)
# What was looked at and reaches no network.
KNOWN = {("wasm-bindgen-shared", 'Command::new("git"'): "asks for the revision of its own checkout, where there is one"}


def metadata():
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def licence_list(packages):
    rows = []
    for package in packages:
        licence = package["license"] or f"see its file {package['license_file']}"
        licence = re.sub(r"\s*/\s*", " OR ", licence)
        rows.append(f"| {package['name']} | {package['version']} | {licence} |")
    text = f"""# Licences of the dependencies

The {len(rows)} crates that `Cargo.lock` names, for all systems and with the tests' own; a program holds a part of them.
Each crate's licence text comes with its source. `python3 scripts/supply_chain.py licences` writes this list, and
`deny.toml` says which licences are let in. The data samples and the font have theirs beside them.

| crate | version | licence |
| --- | --- | --- |
"""
    return text + "\n".join(rows) + "\n"


def build_script(package):
    for target in package["targets"]:
        if "custom-build" in target["kind"]:
            return pathlib.Path(target["src_path"])
    return None


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def build_scripts(data):
    """Names the crates with a build script and lists what speaks against them."""
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}

    def below(package_id, kind):
        for dependency in nodes[package_id]["deps"]:
            if any(found["kind"] == kind for found in dependency["dep_kinds"]):
                yield dependency["pkg"]

    def closure(package_id):
        seen, rest = set(), list(below(package_id, "build"))
        while rest:
            current = rest.pop()
            if current not in seen:
                seen.add(current)
                rest.extend(below(current, None))
        return {packages[found]["name"] for found in seen}

    names, faults = [], []
    for package_id, package in packages.items():
        script = build_script(package)
        if script is None:
            continue
        names.append(package["name"])
        label = f"{package['name']} {package['version']}"
        for client in sorted(closure(package_id) & CLIENTS):
            faults.append(f"{label}: its build script uses {client}")
        folder = pathlib.Path(package["manifest_path"]).parent
        files = {script} if script.parent == folder else set(script.parent.rglob("*.rs")) | {script}
        for file in sorted(files):
            for found in TRACES.finditer(without_comments(file.read_text(encoding="utf-8"))):
                if (package["name"], found.group(0)) not in KNOWN:
                    faults.append(f"{label}: {file.name} has `{found.group(0)}`")
    return sorted(names), faults


def main(arguments):
    if arguments in (["licences"], ["licences", "--check"]):
        outside = [package for package in metadata()["packages"] if package["source"]]
        text = licence_list(sorted(outside, key=lambda package: (package["name"], package["version"])))
        if arguments == ["licences"]:
            LIST.write_text(text, encoding="utf-8")
        elif not LIST.exists() or LIST.read_text(encoding="utf-8") != text:
            sys.exit(f"{LIST.name} is not current: run `python3 scripts/supply_chain.py licences`")
        print(f"{len(outside)} dependencies; {LIST.name} is current")
    elif arguments == ["build-scripts"]:
        names, faults = build_scripts(metadata())
        if faults:
            sys.exit("\n".join(faults))
        print(f"{len(names)} build scripts, none with a network client among its dependencies or in its text")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
