"""`wherry validate` over a folder of 5,000 documents, of ten kinds and as long as real ones; asked: at most 10 seconds.

The whole command is measured, from the start of its process to its end. The peer is the `kubernetes-validate` package
on documents of the same folder, as its own command asks it: one document at a time.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kubernetes_validate
import yaml

from tests.benchmarks.output import median, say

APPLICATIONS, RUNS, PEER_FILES = 500, 3, 5
PEER_VERSION = "1.36"

WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: APP
  namespace: shop
  labels: {app.kubernetes.io/name: APP, app.kubernetes.io/part-of: shop}
  annotations:
    prometheus.io/scrape: "true"
spec:
  replicas: 2
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}
  selector:
    matchLabels:
      app.kubernetes.io/name: APP
  template:
    metadata:
      labels:
        app.kubernetes.io/name: APP
    spec:
      serviceAccountName: APP
      terminationGracePeriodSeconds: 5
      securityContext:
        fsGroup: 1000
        runAsNonRoot: true
        runAsUser: 1000
      initContainers:
        - name: migrate
          image: registry.example/shop/migrate:1.4.2
          command: [/bin/migrate, --up]
      containers:
        - name: server
          image: registry.example/shop/APP:v0.10.3
          ports:
            - {name: http, containerPort: 8080}
          env:
            - name: PORT
              value: "8080"
            - name: PASSWORD
              valueFrom:
                secretKeyRef: {name: APP, key: password}
            - name: POD_IP
              valueFrom:
                fieldRef: {fieldPath: status.podIP}
          envFrom:
            - configMapRef: {name: APP}
          readinessProbe:
            periodSeconds: 5
            httpGet: {path: /healthz, port: http}
          livenessProbe:
            initialDelaySeconds: 20
            httpGet: {path: /healthz, port: http}
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits: {cpu: 200m, memory: 128Mi}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            readOnlyRootFilesystem: true
          volumeMounts:
            - {name: config, mountPath: /etc/APP}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: config
          configMap: {name: APP, defaultMode: 0440}
        - name: tmp
          emptyDir: {sizeLimit: 64Mi}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: APP-db, namespace: shop}
spec:
  serviceName: APP-db
  replicas: 1
  selector:
    matchLabels: {app: APP-db}
  template:
    metadata:
      labels: {app: APP-db}
    spec:
      containers:
        - name: postgres
          image: registry.example/postgres:16.3
          args: [-c, shared_buffers=64MB]
          ports: [{containerPort: 5432}]
          volumeMounts: [{name: data, mountPath: /var/lib/postgresql/data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        resources: {requests: {storage: 1Gi}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: APP-report, namespace: shop}
spec:
  schedule: "15 3 * * *"
  jobTemplate:
    spec:
      backoffLimit: 2
      template:
        spec:
          restartPolicy: OnFailure
          containers:
            - name: report
              image: registry.example/shop/report:2.1
"""
OTHERS = """
apiVersion: v1
kind: Service
metadata: {name: APP, namespace: shop}
spec:
  selector: {app.kubernetes.io/name: APP}
  ports:
    - {name: http, port: 80, targetPort: http}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: APP, namespace: shop}
data:
  LOG_LEVEL: info
  app.conf: |
    listen 8080;
    location / {
      root /srv;
    }
---
apiVersion: v1
kind: Secret
metadata: {name: APP, namespace: shop}
type: Opaque
data: {password: c2VjcmV0}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: APP, namespace: shop}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: APP, namespace: shop}
spec:
  rules:
    - host: APP.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service: {name: APP, port: {name: http}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: APP, namespace: shop}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: APP, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: APP}
subjects: [{kind: ServiceAccount, name: APP, namespace: shop}]
"""
DOCUMENTS = APPLICATIONS * (WORKLOAD.count("\n---\n") + OTHERS.count("\n---\n") + 2)


def write(folder: Path) -> None:
    for number in range(APPLICATIONS):
        name = f"app-{number}"
        (folder / name).mkdir(parents=True)
        for file, template in (("workload.yaml", WORKLOAD), ("rest.yaml", OTHERS)):
            (folder / name / file).write_text(template.replace("APP", name).lstrip())


def ours(folder: Path) -> float:
    """Seconds of the command; nothing may be wrong."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "reconciler", "validate", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    assert f"{DOCUMENTS} documents in {2 * APPLICATIONS} files, no faults" in done.stderr, (
        done.stdout[:500] + done.stderr
    )
    return seconds


def peer(folder: Path) -> float:
    """Documents per second."""
    files = sorted(folder.rglob("*.yaml"))[:PEER_FILES]
    began, count = time.perf_counter(), 0
    for file in files:
        for document in yaml.safe_load_all(file.read_text()):
            kubernetes_validate.validate(document, PEER_VERSION, strict=True)
            count += 1
    return count / (time.perf_counter() - began)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory, "manifests")
        write(folder)
        theirs = peer(folder)
        seconds = median([ours(folder) for _ in range(RUNS)])
    peer_name = "kubernetes-validate"
    say("validate_seconds", seconds, "s", peer=peer_name, peer_value=DOCUMENTS / theirs)
    say("validate_documents_per_second", DOCUMENTS / seconds, "1/s", peer=peer_name, peer_value=theirs)


if __name__ == "__main__":
    main()
