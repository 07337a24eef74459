"""The official fields of the served kinds that have their effect, by type.

Fields of `status` are not listed: Wherry writes them, and what a manifest says there is passed over, as in
Kubernetes. A test fails where a type has a field that is neither here nor among the gaps.
"""

_EVERY_KIND = "apiVersion kind metadata"
_WITH_STATUS = f"{_EVERY_KIND} status"

IMPLEMENTED: dict[str, frozenset[str]] = {
    type_: frozenset(fields.split())
    for type_, fields in {
        "Affinity": "nodeAffinity podAffinity podAntiAffinity",
        "AggregationRule": "clusterRoleSelectors",
        "AppArmorProfile": "localhostProfile type",
        "Capabilities": "add drop",
        "CSIDriver": _EVERY_KIND,
        "CertificateSigningRequest": f"{_WITH_STATUS} spec",
        "CertificateSigningRequestSpec": ("expirationSeconds extra groups request signerName uid usages username"),
        "ClusterRole": f"{_EVERY_KIND} aggregationRule rules",
        "ClusterRoleBinding": f"{_EVERY_KIND} roleRef subjects",
        "ClientIPConfig": "timeoutSeconds",
        "ConfigMap": f"{_EVERY_KIND} binaryData data immutable",
        "ConfigMapEnvSource": "name optional",
        "ConfigMapKeySelector": "key name optional",
        "ConfigMapProjection": "items name optional",
        "ConfigMapVolumeSource": "defaultMode items name optional",
        "Container": (
            "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe "
            "resizePolicy resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce "
            "terminationMessagePath terminationMessagePolicy tty volumeMounts volumeDevices workingDir"
        ),
        "ContainerResizePolicy": "resourceName restartPolicy",
        "ContainerRestartRule": "action exitCodes",
        "ContainerRestartRuleOnExitCodes": "operator values",
        "ContainerResourceMetricSource": "container name target",
        "ContainerPort": "containerPort hostIP hostPort name protocol",
        "ControllerRevision": f"{_EVERY_KIND} data revision",
        "CronJob": f"{_WITH_STATUS} spec",
        "CronJobSpec": (
            "concurrencyPolicy failedJobsHistoryLimit jobTemplate schedule startingDeadlineSeconds "
            "successfulJobsHistoryLimit suspend timeZone"
        ),
        "CrossVersionObjectReference": "apiVersion kind name",
        "DaemonSet": f"{_WITH_STATUS} spec",
        "DaemonSetSpec": "minReadySeconds revisionHistoryLimit selector template updateStrategy",
        "DaemonSetUpdateStrategy": "rollingUpdate type",
        "Deployment": f"{_WITH_STATUS} spec",
        "DeploymentSpec": (
            "minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit selector strategy template"
        ),
        "DeploymentStrategy": "rollingUpdate type",
        "DownwardAPIProjection": "items",
        "DownwardAPIVolumeFile": "fieldRef mode path resourceFieldRef",
        "DownwardAPIVolumeSource": "defaultMode items",
        "EmptyDirVolumeSource": "medium sizeLimit",
        "Endpoint": "addresses conditions deprecatedTopology hints hostname nodeName targetRef zone",
        "EndpointConditions": "ready serving terminating",
        "EndpointHints": "forNodes forZones",
        "EndpointSlice": f"{_EVERY_KIND} addressType endpoints ports",
        "EndpointAddress": "hostname ip nodeName targetRef",
        "EndpointPort": "appProtocol name port protocol",
        "EndpointSubset": "addresses notReadyAddresses ports",
        "Endpoints": f"{_EVERY_KIND} subsets",
        "EnvFromSource": "configMapRef prefix secretRef",
        "EnvVar": "name value valueFrom",
        "EnvVarSource": "configMapKeyRef fieldRef fileKeyRef resourceFieldRef secretKeyRef",
        "EphemeralVolumeSource": "volumeClaimTemplate",
        "Event": (
            f"{_EVERY_KIND} action count eventTime firstTimestamp involvedObject lastTimestamp message reason related "
            "reportingComponent reportingInstance series source type"
        ),
        "EventSeries": "count lastObservedTime",
        "EventSource": "component host",
        "ExecAction": "command",
        "GRPCAction": "port service",
        "ForNode": "name",
        "ForZone": "name",
        "HTTPGetAction": "host httpHeaders path port scheme",
        "HTTPHeader": "name value",
        "HPAScalingPolicy": "periodSeconds type value",
        "HPAScalingRules": "policies selectPolicy stabilizationWindowSeconds tolerance",
        "HorizontalPodAutoscaler": f"{_WITH_STATUS} spec",
        "HorizontalPodAutoscalerBehavior": "scaleDown scaleUp",
        "HorizontalPodAutoscalerSpec": "behavior maxReplicas metrics minReplicas scaleTargetRef",
        "HostAlias": "hostnames ip",
        "HostPathVolumeSource": "path type",
        "HTTPIngressPath": "backend path pathType",
        "HTTPIngressRuleValue": "paths",
        "Ingress": f"{_WITH_STATUS} spec",
        "IngressBackend": "service",
        "IngressClass": f"{_EVERY_KIND} spec",
        "IngressClassSpec": "controller",
        "IngressRule": "host http",
        "IngressServiceBackend": "name port",
        "IngressSpec": "defaultBackend ingressClassName rules tls",
        "IngressTLS": "hosts secretName",
        "ServiceBackendPort": "name number",
        "Job": f"{_WITH_STATUS} spec",
        "JobSpec": (
            "activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy "
            "manualSelector maxFailedIndexes parallelism podFailurePolicy podReplacementPolicy selector successPolicy "
            "suspend template ttlSecondsAfterFinished"
        ),
        "JobTemplateSpec": "metadata spec",
        "KeyToPath": "key mode path",
        "LabelSelector": "matchExpressions matchLabels",
        "LabelSelectorRequirement": "key operator values",
        "Lease": f"{_EVERY_KIND} spec",
        "LeaseSpec": (
            "acquireTime holderIdentity leaseDurationSeconds leaseTransitions preferredHolder renewTime strategy"
        ),
        "Lifecycle": "postStart preStop stopSignal",
        "LifecycleHandler": "exec httpGet sleep",
        "LimitRange": f"{_EVERY_KIND} spec",
        "LimitRangeItem": "default defaultRequest max maxLimitRequestRatio min type",
        "LimitRangeSpec": "limits",
        "LocalObjectReference": "name",
        "ManagedFieldsEntry": "apiVersion fieldsType fieldsV1 manager operation subresource time",
        "NFSVolumeSource": "path readOnly server",
        "Namespace": f"{_WITH_STATUS} spec",
        "NamespaceSpec": "finalizers",
        "IPBlock": "cidr except",
        "NetworkPolicy": f"{_EVERY_KIND} spec",
        "NetworkPolicyEgressRule": "ports to",
        "NetworkPolicyIngressRule": "from ports",
        "NetworkPolicyPeer": "ipBlock namespaceSelector podSelector",
        "NetworkPolicyPort": "endPort port protocol",
        "NetworkPolicySpec": "egress ingress podSelector policyTypes",
        "Node": f"{_WITH_STATUS} spec",
        "NodeAffinity": (
            "preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution"
        ),
        "NodeSelector": "nodeSelectorTerms",
        "NodeSelectorRequirement": "key operator values",
        "NodeSelectorTerm": "matchExpressions matchFields",
        "NodeSpec": "podCIDR podCIDRs providerID taints unschedulable",
        "ObjectFieldSelector": "apiVersion fieldPath",
        "ObjectMeta": (
            "annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName "
            "generation labels managedFields name namespace ownerReferences resourceVersion selfLink uid"
        ),
        "LocalVolumeSource": "path",
        "MetricSpec": "containerResource resource type",
        "MetricTarget": "averageUtilization averageValue type value",
        "ObjectReference": "apiVersion fieldPath kind name namespace resourceVersion uid",
        "OwnerReference": "apiVersion blockOwnerDeletion controller kind name uid",
        "PersistentVolume": f"{_WITH_STATUS} spec",
        "PersistentVolumeClaim": f"{_WITH_STATUS} spec",
        "PersistentVolumeClaimSpec": (
            "accessModes resources selector storageClassName volumeAttributesClassName volumeMode volumeName"
        ),
        "PersistentVolumeClaimTemplate": "metadata spec",
        "PersistentVolumeClaimVolumeSource": "claimName readOnly",
        "PersistentVolumeSpec": (
            "accessModes capacity claimRef hostPath local mountOptions nfs nodeAffinity persistentVolumeReclaimPolicy "
            "storageClassName volumeAttributesClassName volumeMode"
        ),
        "Pod": f"{_WITH_STATUS} spec",
        "PodDNSConfig": "nameservers options searches",
        "PodDNSConfigOption": "name value",
        "PodDisruptionBudget": f"{_WITH_STATUS} spec",
        "PodDisruptionBudgetSpec": "maxUnavailable minAvailable selector unhealthyPodEvictionPolicy",
        "PodFailurePolicy": "rules",
        "PodFailurePolicyOnExitCodesRequirement": "containerName operator values",
        "PodFailurePolicyOnPodConditionsPattern": "status type",
        "PolicyRule": "apiGroups nonResourceURLs resourceNames resources verbs",
        "PodFailurePolicyRule": "action onExitCodes onPodConditions",
        "PodReadinessGate": "conditionType",
        "PodSchedulingGate": "name",
        "PodAffinity": (
            "preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution"
        ),
        "PodAffinityTerm": ("labelSelector matchLabelKeys mismatchLabelKeys namespaceSelector namespaces topologyKey"),
        "PodAntiAffinity": (
            "preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution"
        ),
        "PodSecurityContext": (
            "appArmorProfile fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy "
            "seLinuxOptions seccompProfile supplementalGroups supplementalGroupsPolicy sysctls"
        ),
        "PodSpec": (
            "activeDeadlineSeconds affinity automountServiceAccountToken "
            "containers dnsConfig dnsPolicy hostAliases hostIPC hostNetwork hostPID "
            "enableServiceLinks hostUsers hostname hostnameOverride imagePullSecrets initContainers nodeName "
            "nodeSelector overhead "
            "preemptionPolicy priority priorityClassName readinessGates resources restartPolicy "
            "runtimeClassName schedulerName "
            "schedulingGates securityContext serviceAccount "
            "serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds "
            "tolerations topologySpreadConstraints volumes"
        ),
        "PodTemplate": f"{_EVERY_KIND} template",
        "PodTemplateSpec": "metadata spec",
        "PreferredSchedulingTerm": "preference weight",
        "PriorityClass": f"{_EVERY_KIND} description globalDefault preemptionPolicy value",
        "Probe": (
            "exec failureThreshold grpc httpGet initialDelaySeconds periodSeconds successThreshold tcpSocket "
            "terminationGracePeriodSeconds timeoutSeconds"
        ),
        "ProjectedVolumeSource": "defaultMode sources",
        "ReplicaSet": f"{_WITH_STATUS} spec",
        "ReplicaSetSpec": "minReadySeconds replicas selector template",
        "ReplicationController": f"{_WITH_STATUS} spec",
        "ReplicationControllerSpec": "minReadySeconds replicas selector template",
        "ResourceFieldSelector": "containerName divisor resource",
        "ResourceMetricSource": "name target",
        "ResourceQuota": f"{_WITH_STATUS} spec",
        "ResourceQuotaSpec": "hard scopeSelector scopes",
        "Role": f"{_EVERY_KIND} rules",
        "RoleBinding": f"{_EVERY_KIND} roleRef subjects",
        "RoleRef": "apiGroup kind name",
        "RollingUpdateDaemonSet": "maxSurge maxUnavailable",
        "RollingUpdateDeployment": "maxSurge maxUnavailable",
        "RollingUpdateStatefulSetStrategy": "partition",
        "Overhead": "podFixed",
        "ImageVolumeSource": "pullPolicy reference",
        "FileKeySelector": "key optional path volumeName",
        "ResourceRequirements": "limits requests",
        "RuntimeClass": f"{_EVERY_KIND} handler overhead scheduling",
        "SELinuxOptions": "level role type user",
        "Scheduling": "nodeSelector tolerations",
        "SeccompProfile": "localhostProfile type",
        "ScopeSelector": "matchExpressions",
        "ScopedResourceSelectorRequirement": "operator scopeName values",
        "Secret": f"{_EVERY_KIND} data immutable stringData type",
        "SecretEnvSource": "name optional",
        "SecretKeySelector": "key name optional",
        "SecretProjection": "items name optional",
        "SecretVolumeSource": "defaultMode items optional secretName",
        "SecurityContext": (
            "allowPrivilegeEscalation appArmorProfile capabilities privileged procMount readOnlyRootFilesystem "
            "runAsGroup runAsNonRoot runAsUser seLinuxOptions seccompProfile"
        ),
        "Service": f"{_WITH_STATUS} spec",
        "ServicePort": "appProtocol name nodePort port protocol targetPort",
        "ServiceSpec": (
            "allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName externalTrafficPolicy "
            "healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP "
            "loadBalancerSourceRanges ports publishNotReadyAddresses selector sessionAffinity sessionAffinityConfig "
            "trafficDistribution type"
        ),
        "SessionAffinityConfig": "clientIP",
        "ServiceAccount": f"{_EVERY_KIND} automountServiceAccountToken imagePullSecrets",
        "ServiceAccountTokenProjection": "audience expirationSeconds path",
        "SleepAction": "seconds",
        "StatefulSet": f"{_WITH_STATUS} spec",
        "StatefulSetOrdinals": "start",
        "StatefulSetPersistentVolumeClaimRetentionPolicy": "whenDeleted whenScaled",
        "StatefulSetSpec": (
            "minReadySeconds ordinals persistentVolumeClaimRetentionPolicy podManagementPolicy replicas "
            "revisionHistoryLimit selector serviceName template updateStrategy volumeClaimTemplates"
        ),
        "StatefulSetUpdateStrategy": "rollingUpdate type",
        "StorageClass": (
            f"{_EVERY_KIND} allowVolumeExpansion allowedTopologies mountOptions parameters provisioner reclaimPolicy "
            "volumeBindingMode"
        ),
        "SuccessPolicy": "rules",
        "Subject": "apiGroup kind name namespace",
        "SuccessPolicyRule": "succeededCount succeededIndexes",
        "Sysctl": "name value",
        "TCPSocketAction": "host port",
        "Taint": "effect key timeAdded value",
        "Toleration": "effect key operator tolerationSeconds value",
        "Volume": (
            "configMap downwardAPI emptyDir ephemeral hostPath image name nfs persistentVolumeClaim projected secret"
        ),
        "TopologySelectorLabelRequirement": "key values",
        "TopologySelectorTerm": "matchLabelExpressions",
        "TopologySpreadConstraint": (
            "labelSelector matchLabelKeys maxSkew minDomains nodeAffinityPolicy nodeTaintsPolicy topologyKey "
            "whenUnsatisfiable"
        ),
        "VolumeNodeAffinity": "required",
        "WeightedPodAffinityTerm": "podAffinityTerm weight",
        "VolumeDevice": "devicePath name",
        "VolumeResourceRequirements": "limits requests",
        "VolumeMount": "mountPath mountPropagation name readOnly recursiveReadOnly subPath subPathExpr",
        "VolumeAttachment": _WITH_STATUS,
        "VolumeProjection": "configMap downwardAPI secret serviceAccountToken",
    }.items()
}
