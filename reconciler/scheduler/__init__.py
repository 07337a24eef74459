"""Which node a pod runs on: what decides is pure, `loop` binds.

The seam, for those who use or test the scheduler:

- `snapshot.Snapshot(objects)` is the cluster as the scheduler sees it. `put(object)` takes in any object of
  `snapshot.COUNTED` (nodes, pods, namespaces, claims, volumes, classes, budgets, Services, owners of pods) as it is
  now, `drop(object)` forgets a deleted one, `limit_volumes(node, {driver: number})` says what a CSINode says.
  A pod with `spec.nodeName` counts on that node, one that has ended nowhere; a pod without a node whose status
  nominates one holds its place there against pods of no higher priority. `place(pod, node)` counts a pod as bound,
  and moves it where it counted elsewhere.
- `schedule.schedule(pods, snapshot, profile) → list[Decision]`, one for each pod, in the order given. A pod that is
  placed counts in the snapshot for those after it; one that is nominated holds its place. Victims count as before,
  until they are put with a `deletionTimestamp` or dropped.
- `explain.explain(pod, snapshot, profile) → Explanation`: for each node the first filter that refuses it and its
  reasons, or the weighted score of each plugin; and the node that would be chosen. It changes nothing.
- `profile.Profile` holds the weights and the few settings.

Equal scores are broken by name: the node whose name comes first, compared by code points, is taken. So the same
pods over the same cluster have the same outcome, in whichever order the cluster was learnt.

All objects are taken as admission leaves them (defaults filled in, priority set, `matchLabelKeys` merged).
"""
