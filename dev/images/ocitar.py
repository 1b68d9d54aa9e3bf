#!/usr/bin/env python3
"""Packs folders into an OCI image archive that containerd, skopeo and podman take.

No registry, no image engine: each root folder becomes one gzip layer. The same
input gives the same bytes: names are sorted, times are zero, owners are root
unless --owner states another. Modes, symbolic and hard links are kept.

Prints the image's name, the digest of its manifest and the layers' size.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import platform
import stat
import tarfile
import tempfile

MEDIA_TYPE = "application/vnd.oci.image."
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Hashing(io.RawIOBase):
    """Passes what is written on to another file, and knows its digest and size."""

    def __init__(self, file):
        self.file, self.hash, self.size = file, hashlib.sha256(), 0

    def writable(self):
        return True

    def write(self, data):
        self.hash.update(data)
        self.size += len(data)
        return self.file.write(data)

    def digest(self):
        return "sha256:" + self.hash.hexdigest()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT.tar")
    parser.add_argument("name", metavar="NAME:TAG")
    parser.add_argument("root", metavar="ROOTDIR")
    parser.add_argument("--layer", metavar="ROOTDIR", action="append", default=[], help="one more layer, above the others")
    parser.add_argument("--owner", metavar="PATH=UID:GID", action="append", default=[], type=owner,
                        help="who owns PATH and what is below it, in every layer (default 0:0)")
    parser.add_argument("--entrypoint", metavar="JSON", type=json.loads)
    parser.add_argument("--cmd", metavar="JSON", type=json.loads)
    parser.add_argument("--env", metavar="K=V", action="append", default=[])
    parser.add_argument("--user")
    parser.add_argument("--workdir")
    return parser.parse_args()


def owner(text):
    path, _, ids = text.rpartition("=")
    uid, gid = ids.split(":")
    return path.strip("/"), int(uid), int(gid)


def entries(root):
    """Paths below root, sorted, folders before what is in them."""
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()  # os.walk follows this order (and never links to folders)
        for name in sorted(files + subfolders):
            path = os.path.join(folder, name)
            # Sockets belong to running programs, devices to the machine.
            kind = os.lstat(path).st_mode
            if stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISLNK(kind) or stat.S_ISFIFO(kind):
                yield path


def normalised(info, owners):
    info.mtime, info.uname, info.gname, info.uid, info.gid = 0, "", "", 0, 0
    for path, uid, gid in owners:  # the last that matches wins
        if not path or info.name == path or info.name.startswith(path + "/"):
            info.uid, info.gid = uid, gid
    return info


def write_layer(root, owners):
    """The layer as an unnamed file, its descriptor, and the digest of the tar inside."""
    file = tempfile.TemporaryFile()
    packed = Hashing(file)
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=6, mtime=0) as gz:
        plain = Hashing(gz)
        with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for path in entries(root):
                info = normalised(tar.gettarinfo(path, os.path.relpath(path, root)), owners)
                if info.isreg():
                    with open(path, "rb") as content:
                        tar.addfile(info, content)
                else:
                    tar.addfile(info)
    file.seek(0)
    return file, descriptor("layer.v1.tar+gzip", packed.digest(), packed.size), plain.digest()


def descriptor(kind, digest, size, **more):
    return {"mediaType": MEDIA_TYPE + kind, "digest": digest, "size": size, **more}


def described(kind, value, **more):
    """A JSON blob and its descriptor."""
    blob = json.dumps(value).encode()
    return blob, descriptor(kind, "sha256:" + hashlib.sha256(blob).hexdigest(), len(blob), **more)


def image_config(args, target, diff_ids):
    config = {"Entrypoint": args.entrypoint, "Cmd": args.cmd, "User": args.user, "WorkingDir": args.workdir,
              "Env": [PATH] + args.env}
    return {**target, "config": {key: value for key, value in config.items() if value},
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": [{"created_by": "ocitar"}] * len(diff_ids)}


def add(archive, name, size, content):
    info = tarfile.TarInfo(name)
    info.size = size
    archive.addfile(info, content)


def add_blob(archive, blob, content):
    add(archive, "blobs/sha256/" + blob["digest"].split(":")[1], blob["size"], content)


def main():
    args = arguments()
    layers = [write_layer(root, args.owner) for root in [args.root, *args.layer]]
    target = {"architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux"}
    config, config_descriptor = described("config.v1+json", image_config(args, target, [layer[2] for layer in layers]))
    manifest, manifest_descriptor = described(
        "manifest.v1+json",
        {"schemaVersion": 2, "mediaType": MEDIA_TYPE + "manifest.v1+json", "config": config_descriptor,
         "layers": [layer[1] for layer in layers]},
        annotations={"io.containerd.image.name": args.name,
                     "org.opencontainers.image.ref.name": args.name.rsplit(":", 1)[1]},
        platform=target)
    index = json.dumps({"schemaVersion": 2, "manifests": [manifest_descriptor]}).encode()
    layout = b'{"imageLayoutVersion":"1.0.0"}'
    # Under its name only when complete: an interrupted run leaves no half archive.
    with tarfile.open(args.out + ".tmp", "w") as archive:
        add(archive, "oci-layout", len(layout), io.BytesIO(layout))
        add(archive, "index.json", len(index), io.BytesIO(index))
        for blob, content in [(config_descriptor, config), (manifest_descriptor, manifest)]:
            add_blob(archive, blob, io.BytesIO(content))
        for file, blob, _ in {layer[1]["digest"]: layer for layer in layers}.values():
            add_blob(archive, blob, file)
    os.replace(args.out + ".tmp", args.out)
    print(args.name, manifest_descriptor["digest"], sum(layer[1]["size"] for layer in layers))


if __name__ == "__main__":
    main()
