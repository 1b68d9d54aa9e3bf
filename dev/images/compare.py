#!/usr/bin/env python3
"""Says whether two OCI archives hold the same image: user, entrypoint, and every file with mode, owner and content.

How an engine packs layers, and what it notes about itself, is of no interest. Exit status 1 when they differ.
"""
import hashlib
import io
import json
import sys
import tarfile


def blob(archive, descriptor):
    return archive.extractfile("blobs/" + descriptor["digest"].replace(":", "/")).read()


def files(layer):
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        for entry in tar:
            content = hashlib.sha256(tar.extractfile(entry).read()).hexdigest() if entry.isfile() else entry.linkname
            yield entry.name.removeprefix("./"), (oct(entry.mode & 0o7777), entry.uid, entry.gid, content)


def image(path):
    with tarfile.open(path) as archive:
        index = json.load(archive.extractfile("index.json"))
        manifest = json.loads(blob(archive, index["manifests"][0]))
        config = json.loads(blob(archive, manifest["config"]))["config"]
        tree = {}
        for layer in manifest["layers"]:
            tree.update(files(blob(archive, layer)))
        return {"User": config.get("User"), "Entrypoint": config.get("Entrypoint"), "files": tree}


def main():
    first, second = image(sys.argv[1]), image(sys.argv[2])
    for key in first:
        if first[key] != second[key]:
            print(f"{key} differs:\n  {sys.argv[1]}: {first[key]}\n  {sys.argv[2]}: {second[key]}")
    print("1 passed, 0 failed" if first == second else "0 passed, 1 failed")
    sys.exit(first != second)


if __name__ == "__main__":
    main()
