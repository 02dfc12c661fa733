#!/usr/bin/env python3
"""usage: schemas.py WHEEL FOLDER VERSION     unpacks the schemas of the wheel `kubernetes-validate` for kubeconform"""
import json, pathlib, sys, zipfile

wheel, folder, version = sys.argv[1:]
archive = zipfile.ZipFile(wheel)
for name in archive.namelist():
    parts = name.split("/")
    if len(parts) == 4 and parts[2] == f"{version}-local-strict" and name.endswith(".json"):
        text = archive.read(name).decode().replace('"/api/_definitions.json#/', '"_definitions.json#/')
        schema = json.loads(text)
        schema.pop("$id", None)
        target = pathlib.Path(folder) / parts[2] / parts[3]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(schema))
